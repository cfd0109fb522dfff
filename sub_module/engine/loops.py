"""mmengine's loops, with what they lack."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from mmengine.dataset import DefaultSampler
from mmengine.runner import EpochBasedTrainLoop, ValLoop
from torch import nn

from sub_module.engine.hooks.memory import used_share


class PartialSampler(DefaultSampler):  # type: ignore[misc]
    """mmengine's sampler, which can leave out what an epoch has seen already.

    Attributes:
        first: How many samples of the epoch to leave out.
    """

    first = 0

    def __iter__(self) -> Iterator[int]:
        return islice(super().__iter__(), self.first, None)


class TrainLoop(EpochBasedTrainLoop):  # type: ignore[misc]
    """mmengine's loop over epochs that validates and goes on within an epoch too.

    mmengine's own loop over iterations knows no epochs, and reads all data again that a resumed
    training has seen.
    """

    def __init__(self, *args: Any, val_unit: str, **kwargs: Any) -> None:
        """As mmengine's; `val_unit` of `val_interval` is "epoch" or "iteration"."""
        super().__init__(*args, **kwargs)
        self._val_unit = val_unit

    def run(self) -> nn.Module:
        """Called by the Runner."""
        self.runner.call_hook("before_train")
        if self._iter:
            # A checkpoint is saved before its validation, which a kill may have cut off.
            self._validate("iteration", self._iter, self._max_iters)
            if self._iter == self._epoch * len(self.dataloader):
                self._validate("epoch", self._epoch, self._max_epochs)
        while self._epoch < self._max_epochs:
            self.run_epoch()
        self.runner.call_hook("after_train")
        model: nn.Module = self.runner.model
        return model

    def run_epoch(self) -> None:
        """Train and validate for an epoch, or for what is left of it."""
        first = self._iter - self._epoch * len(self.dataloader)
        if not 0 < first <= len(self.dataloader):
            # The usual case; or the data were divided otherwise before, among more processes.
            first = 0
        self.dataloader.sampler.first = first * self.dataloader.batch_size
        self.runner.call_hook("before_train_epoch")
        self.runner.model.train()
        for index, batch in enumerate(self.dataloader, start=first):
            self.run_iter(index, batch)
            self._validate("iteration", self._iter, self._max_iters)
        self.runner.call_hook("after_train_epoch")
        self._epoch += 1
        self._validate("epoch", self._epoch, self._max_epochs)

    def _validate(self, unit: str, done: int, total: int) -> None:
        if unit == self._val_unit and (done % self.val_interval == 0 or done == total):
            self.runner.val_loop.run()
            self.runner.model.train()


class ValidationLoop(ValLoop):  # type: ignore[misc]
    """mmengine's loop, which is skipped when memory is short."""

    def __init__(self, *args: Any, skip_validation: float, **kwargs: Any) -> None:
        """As mmengine's; `skip_validation` is a share of memory (see `used_share`)."""
        super().__init__(*args, **kwargs)
        self._skip_validation = skip_validation

    def run(self) -> dict[str, float]:
        """Called by the training loop.

        Returns:
            The metrics; none: it was skipped.
        """
        share = used_share()
        if share <= self._skip_validation:
            metrics: dict[str, float] = super().run()
            return metrics
        self.runner.logger.warning(
            f"memory is {share:.0%} full (train.memory.skip_validation is "
            f"{self._skip_validation:.0%}): this validation is skipped"
        )
        return {}
