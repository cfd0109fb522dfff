"""Runs DVC's command line, and ends with whoever started it.

`python -P leash.py ARGUMENTS...`: standard input is held open by the starter; when that dies in any
way, DVC ends too, instead of writing on beside whatever comes next.
"""

from __future__ import annotations

import os
import sys
import threading


def main(arguments: list[str]) -> int:
    """Run DVC; gives its exit code."""
    threading.Thread(target=_watch, daemon=True).start()
    from dvc.cli import main as dvc

    return int(dvc(arguments) or 0)


def _watch() -> None:
    while os.read(0, 1):
        pass
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
