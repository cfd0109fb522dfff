"""The processes of a trial."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from pipelines.backends.process import ProcessGroup

_ROOT = Path(__file__).resolve().parents[1]
_LEASH = Path(__file__).with_name("leash.py")


class TrialProcess(ProcessGroup):
    """A shell command, which ends when this process does."""

    def __init__(self, text: str, environment: Mapping[str, str], log: Path) -> None:
        """Start; what it prints is written to `log`.

        Args:
            text: For `sh -c`.
            environment: Added to this process's; Python is the one that runs here.
            log: Begun anew.
        """
        paths = {
            # So that `python3` in the command is this one, and finds these rooms.
            "PATH": (str(Path(sys.executable).parent), os.environ.get("PATH")),
            "PYTHONPATH": (str(_ROOT), os.environ.get("PYTHONPATH")),
        }
        joined = {name: os.pathsep.join(filter(None, parts)) for name, parts in paths.items()}
        super().__init__(
            [sys.executable, "-SE", str(_LEASH), "sh", "-c", text],
            {**os.environ, **joined, "PYTHONUNBUFFERED": "1", **environment},
            log,
            "wb",
        )
