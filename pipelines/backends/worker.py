"""The process that runs a compiled pipeline: `python -m pipelines.backends.worker`.

kfp.local changes the process it runs in (root logger, `print`, global settings) and writes to its
standard output; in a process of its own all that goes to the run's log.

Arguments: the pipeline's YAML file, its arguments as JSON, a directory for temporary files.
Standard input: held open by the process that shows the run; when that one dies, this ends too.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import sys
import threading
from pathlib import Path


def main(yaml_file: str, arguments: str, temporary: str) -> int:
    """Run the pipeline; gives the exit code."""
    _end_with_parent(temporary)
    from kfp import components, local

    # kfp.local pastes this path into a shell script without quotes.
    sys.executable = shlex.quote(sys.executable)
    local.init(
        local.SubprocessRunner(use_venv=False),
        pipeline_root=str(Path(temporary, "artifacts")),
        workspace_root=str(Path(temporary, "workspace")),
    )
    pipeline = components.load_component_from_file(yaml_file)
    try:
        pipeline(**json.loads(arguments))
    except RuntimeError as error:
        # How kfp.local says that a task failed; the task's own words stand above in the log.
        print(error)
        return 1
    return 0


def _end_with_parent(temporary: str) -> None:
    """End the whole process group when standard input closes; components get an empty one."""
    parent = os.dup(0)
    with open(os.devnull) as nothing:
        os.dup2(nothing.fileno(), 0)

    def watch() -> None:
        while os.read(parent, 1):
            pass
        shutil.rmtree(temporary, ignore_errors=True)
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
