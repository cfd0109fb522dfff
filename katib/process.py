"""The processes of a trial, and their end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[1]
_LEASH = Path(__file__).with_name("leash.py")
_STOP_SECONDS = 5.0


class TrialProcess:
    """A shell command in a process group of its own, which ends when this process does."""

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
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-SE", str(_LEASH), "sh", "-c", text],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **joined, "PYTHONUNBUFFERED": "1", **environment},
                start_new_session=True,
            )

    @property
    def exit_code(self) -> int | None:
        """None: it still runs."""
        return self._process.poll()

    def stop(self) -> None:
        """End everything that the trial started; nothing happens when all has ended."""
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
