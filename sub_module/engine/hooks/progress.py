"""How far a training has come."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner

from sub_module.engine.hooks.time_left import time_left
from sub_module.progress import Progress


class ProgressHook(Hook):  # type: ignore[misc]
    """Tells a `Progress` of every iteration, of the latest validation and of the time left."""

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
        if not is_main_process():
            return
        epoch = f"epoch {runner.epoch + 1} of {runner.max_epochs}"
        loss = float(outputs["loss"].detach()) if outputs else float("nan")
        left = time_left(runner.message_hub.get_info("eta", 0.0))
        text = f"{epoch}, loss {loss:.2f}{self._latest}, {left} left"
        self._progress(runner.iter + 1, runner.max_iters, text)

    def after_val_epoch(self, runner: Runner, metrics: Mapping[str, float] | None = None) -> None:
        """Called by the Runner."""
        self._latest = f", {self._metric} {(metrics or {}).get(self._metric, 0.0):.3f}"
