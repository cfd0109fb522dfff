"""Processes that end with this one: a group of them, and the worker of a local run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parents[2]
_STOP_SECONDS = 5.0


class ProcessGroup:
    """A command in a process group of its own, with everything that it starts.

    Its standard input is open for as long as this process lives; the command ends with it.
    """

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], log: Path, mode: str
    ) -> None:
        """Start.

        Args:
            command: What to run.
            environment: All of it.
            log: What is printed goes there.
            mode: `ab` appends to the log, `wb` begins it anew.
        """
        with log.open(mode) as output:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,
            )

    @property
    def exit_code(self) -> int | None:
        """None: it still runs."""
        return self._process.poll()

    def stop(self) -> None:
        """End everything that was started; nothing happens when all has ended."""
        deadline = time.monotonic() + _STOP_SECONDS
        self._signal(signal.SIGTERM)
        while self._signal(0) and time.monotonic() < deadline:
            # Collects the first process, which would count as alive otherwise.
            self._process.poll()
            time.sleep(0.02)
        self._signal(signal.SIGKILL)
        self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()

    def _signal(self, number: int) -> bool:
        try:
            os.killpg(self._process.pid, number)
        except (ProcessLookupError, PermissionError):
            return False
        return True


class WorkerProcess(ProcessGroup):
    """`pipelines.backends.worker`, with all components of the run.

    It ends when `stop` is called, and when this process dies in any way.
    """

    def __init__(
        self, yaml_file: Path, arguments: Mapping[str, Any], log: Path, home: Path
    ) -> None:
        """Start; what the worker and its components print is appended to `log`."""
        self._temporary = tempfile.TemporaryDirectory(prefix="plateflow-")
        module_path = os.pathsep.join(filter(None, [str(_ROOT), os.environ.get("PYTHONPATH")]))
        environment = {
            **os.environ,
            "PYTHONPATH": module_path,
            "PYTHONUNBUFFERED": "1",
            "PLATEFLOW_HOME": str(home),
            # kfp leaves its temporary files where they are.
            "TMPDIR": self._temporary.name,
        }
        command = [sys.executable, "-m", "pipelines.backends.worker"]
        given = [str(yaml_file), json.dumps(arguments), self._temporary.name]
        super().__init__([*command, *given], environment, log, "ab")

    def is_alive(self) -> bool:
        """Whether the worker still runs."""
        return self.exit_code is None

    def stop(self) -> None:
        """End the worker and everything that it started; nothing happens when all have ended."""
        super().stop()
        self._temporary.cleanup()
