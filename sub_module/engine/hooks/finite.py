"""The end of a training that has gone wrong."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner

from sub_module.engine.resume import last_whole_checkpoint
from sub_module.errors import RunError


class FiniteHook(Hook):  # type: ignore[misc]
    """Ends training when the loss or a weight is no number any more: nothing good comes after.

    A loss can be finite still when the step after it has spoilt the weights, so weights are looked
    at before they are saved: every checkpoint on the disk is a good one.
    """

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
            raise _diverged(runner, "the loss is", runner.iter + 1)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Called by the Runner.

        Raises:
            RunError: A weight is infinite or no number.
        """
        tensors = checkpoint["state_dict"].values()
        if not all(tensor.isfinite().all() for tensor in tensors):
            raise _diverged(runner, "the weights are", checkpoint["meta"]["iter"])


def _diverged(runner: Runner, what: str, iteration: int) -> RunError:
    good = last_whole_checkpoint(Path(runner.work_dir))
    return RunError(
        f"training: {what} not finite at iteration {iteration}; lower train.lr; "
        + (f"the last good checkpoint is {good}" if good else "there is no checkpoint yet")
    )
