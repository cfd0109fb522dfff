"""What mmengine's hooks lack: what a checkpoint says of its model, memory, and progress."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import psutil
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner

from sub_module.engine.checkpoint import attach
from sub_module.errors import RunError
from sub_module.progress import Progress

_MIB = 2**20


class DescriptionHook(Hook):  # type: ignore[misc]
    """Writes config, class list and plate standard into every checkpoint."""

    def __init__(self, description: Mapping[str, Any]) -> None:
        self._description = description

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Called by the Runner."""
        attach(checkpoint, self._description)


class FiniteLossHook(Hook):  # type: ignore[misc]
    """Ends training when the loss is no number any more: nothing good comes after that."""

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Mapping[str, Any] | None = None,
    ) -> None:
        """Called by the Runner.

        Raises:
            RunError: The loss is infinite or no number.
        """
        if outputs and not math.isfinite(outputs["loss"].detach()):
            raise RunError(
                f"training: the loss is not finite at step {runner.iter + 1}; lower train.lr"
            )


class MemoryHook(Hook):  # type: ignore[misc]
    """Logs the memory of the process in MiB; mmengine logs a GPU's (`memory`)."""

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Mapping[str, Any] | None = None,
    ) -> None:
        """Called by the Runner."""
        if not self.every_n_train_iters(runner, runner.log_processor.window_size):
            return
        resident = psutil.Process().memory_info().rss / _MIB
        runner.message_hub.update_scalar("train/process_memory_mib", resident)


class ProgressHook(Hook):  # type: ignore[misc]
    """Tells a `Progress` of every iteration and of the latest validation."""

    priority = "VERY_LOW"

    def __init__(self, progress: Progress, metric: str) -> None:
        self._progress = progress
        self._metric = metric
        self._latest = ""

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Mapping[str, Any] | None = None,
    ) -> None:
        """Called by the Runner."""
        if is_main_process():
            epoch = f"epoch {runner.epoch + 1} of {runner.max_epochs}"
            loss = float(outputs["loss"].detach()) if outputs else float("nan")
            text = f"{epoch}, loss {loss:.2f}{self._latest}"
            self._progress(runner.iter + 1, runner.max_iters, text)

    def after_val_epoch(self, runner: Runner, metrics: Mapping[str, float] | None = None) -> None:
        """Called by the Runner."""
        self._latest = f", {self._metric} {(metrics or {}).get(self._metric, 0.0):.3f}"
