"""One model in all processes, its buffers included."""

from __future__ import annotations

from typing import Any

from mmengine.hooks import SyncBuffersHook
from mmengine.runner import Runner


class SharedBuffersHook(SyncBuffersHook):  # type: ignore[misc]
    """mmengine's hook, before checkpoints and validations within an epoch too.

    Batch norm's running figures differ from process to process until then.
    """

    def __init__(self, interval_iters: int | None) -> None:
        """Share every so many iterations and after the last; None: after epochs only."""
        super().__init__()
        self._interval_iters = interval_iters

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Called by the Runner."""
        if self._interval_iters and (
            self.every_n_train_iters(runner, self._interval_iters)
            or self.is_last_train_iter(runner)
        ):
            self.after_train_epoch(runner)
