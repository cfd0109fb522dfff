"""mmengine's Runner, put together from a pipeline config."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import torch
from mmengine.evaluator import Evaluator
from mmengine.hooks import CheckpointHook, Hook, LoggerHook
from mmengine.runner import Runner, set_random_seed
from torch.utils.data import Dataset

from sub_module.datasets.coco import load_image, load_plate_images
from sub_module.engine.checkpoint import build_model, description
from sub_module.engine.hooks import (
    CheckHook,
    DescriptionHook,
    FiguresHook,
    FiniteHook,
    PictureHook,
    ProgressHook,
    SharedBuffersHook,
    TimeLeftLogProcessor,
    check_data_set,
    check_model,
)
from sub_module.engine.loops import PartialSampler, TrainLoop, ValidationLoop
from sub_module.engine.optimisation import optimisation, schedule
from sub_module.engine.starting_weights import load_starting_weights
from sub_module.metrics.plate_metric import PlateMetric
from sub_module.models.base import PlateModel
from sub_module.plates import PlateStandard
from sub_module.progress import Progress


class ValidationSet(Dataset[dict[str, Any]]):
    """Whole images and their ids."""

    def __init__(self, coco_file: Path, standard: PlateStandard) -> None:
        """Load the index; images are read when asked for."""
        self.coco_file = coco_file
        self._images = load_plate_images(coco_file, standard)

    @property
    def names(self) -> dict[int, str]:
        """File names without suffix by image id."""
        return {image.image_id: image.path.stem for image in self._images}

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """`image`, (H, W, 3) RGB uint8, and `image_id`."""
        image = self._images[index]
        return {"image": load_image(image.path), "image_id": image.image_id}


def collate_images(samples: list[dict[str, Any]]) -> dict[str, Any]:
    """What a model's `forward(mode="predict")` takes: lists, for images differ in size."""
    return {
        "images": [sample["image"] for sample in samples],
        "image_ids": [sample["image_id"] for sample in samples],
    }


def runner_parts(
    config: Mapping[str, Any], training_set: Path
) -> tuple[PlateModel, Dataset[Any], ValidationSet]:
    """Model, training samples and validation set of a config, which fit each other.

    Raises:
        PlateflowError: One of them cannot be built, or they do not fit.
    """
    standard = PlateStandard.from_config(config["plates"])
    model = build_model(config["model"], standard)
    check_model(model, config)
    check_data_set(training_set, standard)
    samples = model.training_set(training_set / "train.json", config["train"]["samples"])
    return model, samples, ValidationSet(training_set / "val.json", standard)


def build_runner(
    config: Mapping[str, Any],
    training_set: Path,
    work_dir: Path,
    progress: Progress,
    world_size: int,
    resume_from: Path | None,
) -> Runner:
    """A Runner for one of `world_size` processes; see `train` for the other arguments.

    Raises:
        PlateflowError: The config or the data cannot be used.
    """
    settings = config["train"]
    randomness = {
        "seed": settings["seed"],
        "diff_rank_seed": True,
        "deterministic": settings["deterministic"],
    }
    # The Runner does it too, but the model's first weights are random before there is a Runner.
    set_random_seed(**randomness)
    model, samples, validation = runner_parts(config, training_set)
    if resume_from is None:
        load_starting_weights(model, settings)
    batch_size = max(1, settings["batch_size"] // world_size)
    num_iters = settings["max_epochs"] * -(-len(samples) // (batch_size * world_size))  # type: ignore[arg-type]
    metric = PlateMetric(
        validation.coco_file,
        model.standard,
        model.categories,
        # Where processes hand each other their results; mmengine would do it in the user's folder.
        collect_dir=str(work_dir / "collected"),
    )
    return Runner(
        model=model,
        work_dir=str(work_dir),
        # Runners of one name share their figures, and mmengine tells them apart by the second only.
        experiment_name=f"train-{uuid4().hex[:8]}",
        # The process group exists already; without a launcher the Runner would not use it.
        launcher="pytorch" if world_size > 1 else "none",
        cfg={"model_wrapper_cfg": _wrapper()},
        train_dataloader=_loader(samples, batch_size, settings, model.collate),
        val_dataloader=_loader(validation, 1, settings, collate_images, shuffle=False),
        **_loops(settings),
        val_evaluator=Evaluator(metric),
        optim_wrapper=optimisation(settings),
        param_scheduler=schedule(settings, num_iters),
        default_hooks=_default_hooks(settings),
        custom_hooks=_hooks(config, model.standard, validation, progress, batch_size * world_size),
        log_processor=TimeLeftLogProcessor(window_size=settings["log_interval"]),
        visualizer={
            "type": "Visualizer",
            "vis_backends": [{"type": "LocalVisBackend"}, {"type": "TensorboardVisBackend"}],
        },
        randomness=randomness,
        load_from=str(resume_from) if resume_from else None,
        resume=resume_from is not None,
    )


def _loops(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "train_cfg": {
            "type": TrainLoop,
            "max_epochs": settings["max_epochs"],
            "val_interval": settings["val_interval"],
            "val_unit": settings["val_unit"],
        },
        "val_cfg": {
            "type": ValidationLoop,
            "skip_validation": settings["memory"]["skip_validation"],
        },
    }


def _default_hooks(settings: Mapping[str, Any]) -> dict[str, Hook]:
    by_epoch = settings["val_unit"] == "epoch"
    return {
        "logger": LoggerHook(interval=settings["log_interval"], log_metric_by_epoch=by_epoch),
        "checkpoint": CheckpointHook(
            interval=1 if by_epoch else settings["val_interval"],
            by_epoch=by_epoch,
            save_best=settings["best_metric"],
            rule="greater",
            max_keep_ckpts=2,
            backend_args={"backend": "atomic"},
        ),
    }


def _wrapper() -> dict[str, Any]:
    """How mmengine is to wrap the model for several processes; it assumes GPUs."""
    devices = [torch.cuda.current_device()] if torch.cuda.is_available() else None
    return {
        "type": "MMDistributedDataParallel",
        "device_ids": devices,
        "broadcast_buffers": False,
    }


def _loader(
    dataset: Dataset[Any],
    batch_size: int,
    settings: Mapping[str, Any],
    collate: Any,
    shuffle: bool = True,
) -> dict[str, Any]:
    return {
        "dataset": dataset,
        "batch_size": batch_size,
        "num_workers": settings["num_workers"],
        "sampler": {"type": PartialSampler, "shuffle": shuffle},
        "collate_fn": collate,
    }


def _hooks(
    config: Mapping[str, Any],
    standard: PlateStandard,
    validation: ValidationSet,
    progress: Progress,
    images_per_iter: int,
) -> list[Hook]:
    settings = config["train"]
    by_epoch = settings["val_unit"] == "epoch"
    return [
        FiniteHook(),
        SharedBuffersHook(None if by_epoch else settings["val_interval"]),
        CheckHook(settings["memory"]["stop"], settings["log_interval"]),
        DescriptionHook(description(config["model"], standard)),
        FiguresHook(images_per_iter),
        PictureHook(settings["num_pictures"], validation.names, standard),
        ProgressHook(progress, settings["best_metric"]),
    ]
