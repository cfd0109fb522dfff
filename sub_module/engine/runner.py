"""mmengine's Runner, put together from a pipeline config."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from mmengine.evaluator import Evaluator
from mmengine.hooks import CheckpointHook, Hook, LoggerHook, SyncBuffersHook
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import Dataset

from sub_module.datasets.coco import load_image, load_plate_images
from sub_module.engine.checkpoint import build_model, description
from sub_module.engine.hooks import DescriptionHook, FiniteLossHook, MemoryHook, ProgressHook
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
    """Model, training samples and validation set of a config.

    Raises:
        PlateflowError: One of them cannot be built.
    """
    standard = PlateStandard.from_config(config["plates"])
    model = build_model(config["model"], standard)
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
    model, samples, validation = runner_parts(config, training_set)
    standard = PlateStandard.from_config(config["plates"])
    batch_size = max(1, settings["batch_size"] // world_size)
    num_iters = settings["max_epochs"] * -(-len(samples) // (batch_size * world_size))  # type: ignore[arg-type]
    metric = settings["best_metric"]
    return Runner(
        model=model,
        work_dir=str(work_dir),
        experiment_name="train",
        # The process group exists already; without a launcher the Runner would not use it.
        launcher="pytorch" if world_size > 1 else "none",
        cfg={"model_wrapper_cfg": _wrapper()},
        train_dataloader=_loader(samples, batch_size, settings, model.collate),
        val_dataloader=_loader(validation, 1, settings, collate_images, shuffle=False),
        train_cfg={
            "by_epoch": True,
            "max_epochs": settings["max_epochs"],
            "val_interval": settings["val_interval"],
        },
        val_cfg={},
        val_evaluator=Evaluator(PlateMetric(validation.coco_file, standard)),
        optim_wrapper=_optimisation(settings),
        param_scheduler=_schedule(settings, num_iters),
        default_hooks={
            "logger": LoggerHook(interval=settings["log_interval"]),
            "checkpoint": CheckpointHook(
                interval=1,
                save_best=metric,
                rule="greater",
                max_keep_ckpts=2,
                backend_args={"backend": "atomic"},
            ),
        },
        custom_hooks=_hooks(config, standard, progress),
        log_processor={"window_size": settings["log_interval"]},
        visualizer={
            "type": "Visualizer",
            "vis_backends": [{"type": "LocalVisBackend"}, {"type": "TensorboardVisBackend"}],
        },
        randomness={"seed": settings["seed"], "diff_rank_seed": True},
        load_from=str(resume_from) if resume_from else None,
        resume=resume_from is not None,
    )


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
        "sampler": {"type": "DefaultSampler", "shuffle": shuffle},
        "collate_fn": collate,
    }


def _hooks(config: Mapping[str, Any], standard: PlateStandard, progress: Progress) -> list[Hook]:
    return [
        FiniteLossHook(),
        # Batch norm's running figures differ from process to process until then.
        SyncBuffersHook(),
        DescriptionHook(description(config["model"], standard)),
        MemoryHook(),
        ProgressHook(progress, config["train"]["best_metric"]),
    ]


class Bfloat16OptimWrapper(OptimWrapper):  # type: ignore[misc]
    """Runs the forward pass in bfloat16, on a CPU too (mmengine's own wrapper wants a GPU)."""

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Called by the Runner round the forward pass."""
        device = next(model.parameters()).device.type
        with super().optim_context(model), torch.autocast(device, torch.bfloat16):
            yield


def _optimisation(settings: Mapping[str, Any]) -> dict[str, Any]:
    wrapper = Bfloat16OptimWrapper if _uses_bfloat16(settings["precision"]) else OptimWrapper
    return {
        "type": wrapper,
        "optimizer": {
            "type": "AdamW",
            "lr": settings["lr"],
            "weight_decay": settings["weight_decay"],
        },
        "clip_grad": {"max_norm": settings["max_grad_norm"]},
        "accumulative_counts": settings["accumulate"],
    }


def _uses_bfloat16(setting: str) -> bool:
    """Whether to: `auto` only where the hardware computes in it."""
    if setting != "auto":
        return setting == "bfloat16"
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported())
    # Elsewhere torch accepts bfloat16 too, but computes it slowly in float32.
    return bool(torch.cpu._is_avx512_bf16_supported())


def _schedule(settings: Mapping[str, Any], num_iters: int) -> list[dict[str, Any]]:
    """A linear warm-up, then a cosine down to `final_lr`."""
    warm_up = min(settings["warm_up_iters"], num_iters // 4)
    cosine = {
        "type": "CosineAnnealingLR",
        "by_epoch": False,
        "begin": warm_up,
        "end": num_iters,
        "T_max": num_iters - warm_up,
        "eta_min": settings["lr"] * settings["final_lr"],
    }
    if not warm_up:
        return [cosine]
    start = settings["first_lr"]
    return [
        {"type": "LinearLR", "by_epoch": False, "start_factor": start, "end": warm_up},
        cosine,
    ]
