"""Time left in words that a person takes in at a glance."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

from mmengine.runner import LogProcessor, Runner


def time_left(seconds: float) -> str:
    """Such as `0d 01h 23m`; a minute that has begun counts."""
    minutes = math.ceil(seconds / 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    return f"{days}d {hours:02d}h {minutes:02d}m"


class TimeLeftLogProcessor(LogProcessor):  # type: ignore[misc]
    """mmengine's log lines with `0d 01h 23m left` for its `eta: 1:22:31`."""

    def get_log_after_iter(
        self, runner: Runner, batch_idx: int, mode: str
    ) -> tuple[dict[str, Any], str]:
        """Called by the LoggerHook."""
        tag, line = super().get_log_after_iter(runner, batch_idx, mode)
        eta = runner.message_hub.get_info("eta")
        if eta is not None:
            line = line.replace(f"eta: {timedelta(seconds=int(eta))}", f"{time_left(eta)} left")
        return tag, line
