"""Checks before and during training: nothing runs for hours towards a foreseeable failure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.dist import all_reduce_params, is_distributed
from mmengine.hooks import Hook
from mmengine.runner import Runner

from sub_module.datasets.coco import load_plate_images
from sub_module.engine.hooks.memory import used_share
from sub_module.errors import ConfigError, DataError, RunError
from sub_module.models.base import PlateModel
from sub_module.plates import PlateStandard


def check_model(model: PlateModel, config: Mapping[str, Any]) -> None:
    """Refuse a model that does not fit the plate standard, or has no figure to be chosen by.

    Args:
        model: As built from the config.
        config: `train.best_metric` and, where there is one, `evaluate.keys` are looked at.

    Raises:
        ConfigError: A head has too many or too few outputs, or dv_mAP is wanted without masks.
    """
    name = type(model).__name__
    for head, (found, wanted) in model.head_sizes().items():
        if found != wanted:
            standard = model.standard.name
            raise ConfigError(
                f"model {name}: {head} has {found} outputs, but the plate standard {standard} "
                f"takes {wanted}"
            )
    chosen_by = {"train.best_metric": [config["train"]["best_metric"]]}
    evaluate = config.get("evaluate", {})
    if not evaluate.get("candidates"):
        # Another model among the candidates may have masks.
        chosen_by["evaluate.keys"] = evaluate.get("keys", [])
    for key, metrics in chosen_by.items():
        if "dv_mAP" in metrics and not model.has_masks:
            raise ConfigError(f"{key}: dv_mAP needs masks, and {name} has none; use EIR or mAP")


def check_data_set(training_set: Path, standard: PlateStandard) -> None:
    """Refuse a data set that the plate standard does not fit, or that has nothing to learn from.

    Args:
        training_set: What `record` wrote: `train.json` and `val.json` are looked at.
        standard: The config's.

    Raises:
        DataError: The message names the file.
    """
    for file in (training_set / "train.json", training_set / "val.json"):
        images = load_plate_images(file, standard)
        names = {category["name"] for category in json.loads(file.read_bytes())["categories"]}
        known = set(standard.classes)
        for one_sided, reason in (
            (names - known, f"the plate standard {standard.name} has no such class"),
            (known - names, "the file lacks this class of the plate standard"),
        ):
            if one_sided:
                raise DataError(f"{file}: class {min(one_sided)!r}: {reason}")
        if not any(image.readings for image in images):
            raise DataError(f"{file}: there is no plate in any of its {len(images)} images")


class CheckHook(Hook):  # type: ignore[misc]
    """Stops training before memory runs out, with a checkpoint to go on from.

    The other threshold, above which validations are skipped, is `loops.ValidationLoop`'s.
    """

    def __init__(self, stop: float, interval_iters: int) -> None:
        """Look every `interval_iters`; `stop` is a share of memory (see `used_share`)."""
        self._stop = stop
        self._interval_iters = interval_iters

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Called by the Runner.

        Raises:
            RunError: Memory is short; in all processes alike.
        """
        looks = self.every_n_train_iters(runner, self._interval_iters)
        if not looks or self.is_last_train_iter(runner):
            return
        share = used_share()
        if share <= self._stop:
            return
        if is_distributed():
            all_reduce_params(runner.model.buffers(), op="mean")
        iteration = runner.iter + 1
        file = f"iter_{iteration}.pth"
        runner.save_checkpoint(
            runner.work_dir, file, by_epoch=False, backend_args={"backend": "atomic"}
        )
        raise RunError(
            f"training: memory is {share:.0%} full (train.memory.stop is {self._stop:.0%}), so it "
            f"ends at iteration {iteration} of {runner.max_iters}; {file} is saved, and the same "
            "command goes on from there"
        )
