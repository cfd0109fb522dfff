"""One run at a time in one home."""

from __future__ import annotations

import os
import time
from pathlib import Path

from filelock import FileLock, Timeout

from sub_module.errors import RunError
from sub_module.files import read_json, write_json


class HomeLock:
    """Held while a run is under way; the system frees it when its holder dies."""

    def __init__(self, home: Path) -> None:
        """The lock of that home; holds nothing yet."""
        self._lock = FileLock(home / "run.lock")
        self._holder = home / "run.lock.json"

    def acquire(self, run: str) -> None:
        """Take the lock for a run.

        Raises:
            RunError: Somebody holds it; the message says who.
        """
        self._holder.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire(blocking=False)
        except Timeout:
            raise RunError(f"another run is under way here: {self._describe()}") from None
        write_json(self._holder, {"run": run, "process": os.getpid(), "since": time.time()})

    def release(self) -> None:
        """Give the lock back; nothing happens when it is not held."""
        if self._lock.is_locked:
            self._holder.unlink(missing_ok=True)
            self._lock.release()

    def holder(self) -> str | None:
        """The run that is under way; None when there is none."""
        try:
            with self._lock.acquire(blocking=False):
                return None
        except Timeout:
            return str((read_json(self._holder) or {}).get("run", ""))

    def _describe(self) -> str:
        holder = read_json(self._holder)
        if holder is None:
            return "it is just starting; try again"
        since = time.strftime("%H:%M", time.localtime(holder["since"]))
        return f"{holder['run']} since {since}, process {holder['process']}; wait for it or stop it"
