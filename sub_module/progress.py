"""How far long work has come: what does the work says it, an entry point shows it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from sub_module.files import write_json

Progress = Callable[[int, int, str], None]
"""Called with (done, total, a short text such as "EIR 0.93"), as often as the work likes."""


def silent(done: int, total: int, text: str = "") -> None:
    """A `Progress` that shows nothing."""


class FileProgress:
    """A `Progress` that keeps a step's latest state in a small file, for another process to show.

    The file is JSON with `step`, `done`, `total`, `text` and `time` (seconds since the epoch).
    """

    def __init__(self, path: Path, step: str, interval_seconds: float = 0.2) -> None:
        """Write to `path`, at most once in `interval_seconds` except when the work is done."""
        self._path = path
        self._step = step
        self._interval_seconds = interval_seconds
        self._next_write = 0.0

    def __call__(self, done: int, total: int, text: str = "") -> None:
        """Note the state; most calls cost a clock reading only."""
        now = time.monotonic()
        if now < self._next_write and done < total:
            return
        self._next_write = now + self._interval_seconds
        state = {
            "step": self._step,
            "done": done,
            "total": total,
            "text": text,
            "time": time.time(),
        }
        write_json(self._path, state)
