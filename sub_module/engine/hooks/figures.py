"""Figures for the log and TensorBoard that mmengine does not take."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import psutil
from mmengine.hooks import Hook
from mmengine.runner import Runner

_MIB = 2**20


class FiguresHook(Hook):  # type: ignore[misc]
    """Logs images a second over all processes, and the memory of this process in MiB.

    mmengine logs the losses, the learning rate, seconds an iteration, and a GPU's memory (`memory`,
    MiB at most since the last line).
    """

    def __init__(self, batch_size: int) -> None:
        """Count `batch_size` images an iteration, over all processes."""
        self._batch_size = batch_size
        self._process = psutil.Process()

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Mapping[str, Any] | None = None,
    ) -> None:
        """Called by the Runner, after mmengine's IterTimerHook."""
        hub = runner.message_hub
        seconds = hub.get_scalar("train/time").mean(runner.log_processor.window_size)
        hub.update_scalar("train/images_per_second", self._batch_size / max(seconds, 1e-9))
        resident = self._process.memory_info().rss / _MIB
        hub.update_scalar("train/process_memory_mib", resident)
