"""Training by mmengine's Runner, on one process or several, resumed where it was cut off."""

from __future__ import annotations

import json
import logging
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import cv2
import torch
import torch.distributed
from mmengine.evaluator import Evaluator
from mmengine.hooks import CheckpointHook, LoggerHook
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import Dataset

from sub_module.datasets.coco import load_image, load_plate_images
from sub_module.engine.checkpoint import build_model, description, load_checkpoint, publish
from sub_module.engine.hooks import DescriptionHook, FiniteLossHook, MemoryHook, ProgressHook
from sub_module.errors import ModelError, RunError
from sub_module.metrics.plate_metric import PlateMetric
from sub_module.models.platenet.inputs import STRIDE
from sub_module.models.platenet.model import PlateNet
from sub_module.models.platenet.samples import PlateTrainingSet, collate_samples
from sub_module.plates import PlateStandard
from sub_module.progress import Progress, silent


@dataclass(frozen=True)
class TrainResult:
    """What training left behind.

    Attributes:
        candidates: Checkpoints worth evaluating, the best by validation first.
        metrics: The best validation's.
        num_epochs: Epochs trained.
    """

    candidates: tuple[Path, ...]
    metrics: dict[str, float]
    num_epochs: int


def train(
    config: Mapping[str, Any], training_set: Path, work_dir: Path, progress: Progress = silent
) -> TrainResult:
    """Train a config's model; called again after a kill, it goes on from the last whole epoch.

    Args:
        config: A pipeline config: `plates`, `model` and `train` are used.
        training_set: What `record` wrote: `train.json`, `val.json`, images.
        work_dir: Checkpoints, logs and TensorBoard files go here.
        progress: Told of iterations.

    Raises:
        PlateflowError: The config, the data or a checkpoint to resume from cannot be used.
        RunError: A training process died.
    """
    num_processes = _num_processes(config["train"]["num_processes"])
    work_dir.mkdir(parents=True, exist_ok=True)
    # Everything that a user may have got wrong is built once before processes start.
    runner_parts(config, training_set)
    with tempfile.TemporaryDirectory() as meeting_place:
        rendezvous = f"file://{meeting_place}/rendezvous"
        others = _start_others(config, training_set, work_dir, num_processes, rendezvous)
        try:
            runner = _run(config, training_set, work_dir, progress, 0, num_processes, rendezvous)
        except RuntimeError as error:
            if any(process.exitcode for process in others):
                raise RunError(f"{work_dir}: a training process died: {error}") from error
            raise
        finally:
            for process in others:
                process.join(timeout=30)
                process.terminate()
    return _result(runner, work_dir)


def _num_processes(wanted: int | None) -> int:
    """As many as GPUs; without one, two single-threaded processes beat one with two threads."""
    if wanted:
        return wanted
    if torch.cuda.is_available():
        return torch.cuda.device_count()
    return min(2, len(os.sched_getaffinity(0)))


def _start_others(
    config: Mapping[str, Any], training_set: Path, work_dir: Path, world_size: int, rendezvous: str
) -> list[BaseProcess]:
    context = get_context("spawn")
    others: list[BaseProcess] = []
    for rank in range(1, world_size):
        arguments = (config, training_set, work_dir, silent, rank, world_size, rendezvous)
        process = context.Process(target=_run, args=arguments, daemon=True)
        process.start()
        others.append(process)
    return others


def _run(
    config: Mapping[str, Any],
    training_set: Path,
    work_dir: Path,
    progress: Progress,
    rank: int,
    world_size: int,
    rendezvous: str,
) -> Runner:
    """Train as process `rank` of `world_size`. The first is the caller's own: when it is killed,
    the others lose their connection and end too."""
    on_gpu = torch.cuda.is_available()
    if on_gpu:
        torch.cuda.set_device(rank)
    with _single_threaded(not on_gpu and world_size > 1):
        if world_size > 1:
            torch.distributed.init_process_group(
                "nccl" if on_gpu else "gloo",
                init_method=rendezvous,
                rank=rank,
                world_size=world_size,
            )
        try:
            runner = _runner(config, training_set, work_dir, progress, world_size)
            runner.train()
        finally:
            if world_size > 1:
                torch.distributed.destroy_process_group()
    return runner


@contextmanager
def _single_threaded(wanted: bool) -> Iterator[None]:
    before = torch.get_num_threads(), cv2.getNumThreads()
    if wanted:
        torch.set_num_threads(1)
        cv2.setNumThreads(1)
    yield
    torch.set_num_threads(before[0])
    cv2.setNumThreads(before[1])


def runner_parts(
    config: Mapping[str, Any], training_set: Path
) -> tuple[nn.Module, PlateTrainingSet, _ValidationSet]:
    """Model, training set and validation set of a config.

    Raises:
        PlateflowError: One of them cannot be built.
    """
    standard = PlateStandard.from_config(config["plates"])
    model = build_model(config["model"], standard)
    if not isinstance(model, PlateNet):
        raise ModelError(f"model.type: {type(model).__name__} cannot be trained")
    samples = PlateTrainingSet(
        training_set / "train.json",
        standard,
        model.sizes,
        STRIDE,
        config["train"]["samples"],
    )
    return model, samples, _ValidationSet(training_set / "val.json", standard)


class _ValidationSet(Dataset[dict[str, Any]]):
    """Whole images and their ids."""

    def __init__(self, coco_file: Path, standard: PlateStandard) -> None:
        self.coco_file = coco_file
        self._images = load_plate_images(coco_file, standard)

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: int) -> dict[str, Any]:
        image = self._images[index]
        return {"image": load_image(image.path), "image_id": image.image_id}


def _collate_images(samples: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "images": [sample["image"] for sample in samples],
        "image_ids": [sample["image_id"] for sample in samples],
    }


class Bfloat16OptimWrapper(OptimWrapper):  # type: ignore[misc]
    """Runs the forward pass in bfloat16, on a CPU too (mmengine's own wrapper wants a GPU)."""

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Called by the Runner round the forward pass."""
        device = next(model.parameters()).device.type
        with super().optim_context(model), torch.autocast(device, torch.bfloat16):
            yield


def _uses_bfloat16(setting: str) -> bool:
    """Whether to: `auto` only where the hardware computes in it."""
    if setting != "auto":
        return setting == "bfloat16"
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported())
    # Elsewhere torch accepts bfloat16 too, but computes it slowly in float32.
    return bool(torch.cpu._is_avx512_bf16_supported())


def _runner(
    config: Mapping[str, Any],
    training_set: Path,
    work_dir: Path,
    progress: Progress,
    world_size: int,
) -> Runner:
    settings = config["train"]
    model, samples, validation = runner_parts(config, training_set)
    standard = PlateStandard.from_config(config["plates"])
    batch_size = max(1, settings["batch_size"] // world_size)
    loader = {"num_workers": settings["num_workers"], "persistent_workers": False}
    total_iters = settings["max_epochs"] * -(-len(samples) // (batch_size * world_size))
    checkpoint = _last_whole_checkpoint(work_dir)
    wrapper = Bfloat16OptimWrapper if _uses_bfloat16(settings["precision"]) else OptimWrapper
    return Runner(
        model=model,
        work_dir=str(work_dir),
        experiment_name="train",
        cfg={"model_wrapper_cfg": {"type": "MMDistributedDataParallel"}},
        train_dataloader={
            **loader,
            "dataset": samples,
            "batch_size": batch_size,
            "sampler": {"type": "DefaultSampler", "shuffle": True},
            "collate_fn": collate_samples,
            "drop_last": False,
        },
        val_dataloader={
            **loader,
            "dataset": validation,
            "batch_size": 1,
            "sampler": {"type": "DefaultSampler", "shuffle": False},
            "collate_fn": _collate_images,
        },
        train_cfg={
            "by_epoch": True,
            "max_epochs": settings["max_epochs"],
            "val_interval": settings["val_interval"],
        },
        val_cfg={},
        val_evaluator=Evaluator(PlateMetric(validation.coco_file, standard)),
        optim_wrapper={
            "type": wrapper,
            "optimizer": {
                "type": "AdamW",
                "lr": settings["lr"],
                "weight_decay": settings["weight_decay"],
            },
            "clip_grad": {"max_norm": settings["max_grad_norm"]},
            "accumulative_counts": settings["accumulate"],
        },
        param_scheduler=_schedule(settings, total_iters),
        default_hooks={
            "logger": LoggerHook(interval=settings["log_interval"]),
            "checkpoint": CheckpointHook(
                interval=1,
                save_best="EIR",
                rule="greater",
                max_keep_ckpts=2,
                backend_args={"backend": "atomic"},
            ),
        },
        custom_hooks=[
            FiniteLossHook(),
            DescriptionHook(description(config["model"], standard)),
            MemoryHook(),
            ProgressHook(progress, ("EIR",)),
        ],
        log_processor={"window_size": settings["log_interval"]},
        visualizer={
            "type": "Visualizer",
            "vis_backends": [{"type": "LocalVisBackend"}, {"type": "TensorboardVisBackend"}],
        },
        randomness={"seed": settings["seed"], "diff_rank_seed": True},
        load_from=str(checkpoint) if checkpoint else None,
        resume=checkpoint is not None,
    )


def _schedule(settings: Mapping[str, Any], total_iters: int) -> list[dict[str, Any]]:
    """A linear warm-up, then a cosine to nothing."""
    warm_up = min(settings["warm_up_iters"], total_iters // 4)
    schedulers: list[dict[str, Any]] = [
        {
            "type": "CosineAnnealingLR",
            "by_epoch": False,
            "begin": warm_up,
            "end": total_iters,
            "T_max": total_iters - warm_up,
            "eta_min": settings["lr"] * 0.01,
        }
    ]
    if warm_up:
        linear = {"type": "LinearLR", "by_epoch": False, "start_factor": 0.05, "end": warm_up}
        schedulers.insert(0, linear)
    return schedulers


def _last_whole_checkpoint(work_dir: Path) -> Path | None:
    """The newest epoch's checkpoint that can be loaded."""
    epochs = sorted(
        work_dir.glob("epoch_*.pth"), key=lambda p: int(p.stem.split("_")[1]), reverse=True
    )
    for path in epochs:
        try:
            load_checkpoint(path)
            return path
        except ModelError as error:
            logging.getLogger(__name__).warning("not resuming from a checkpoint: %s", error)
    return None


def _result(runner: Runner, work_dir: Path) -> TrainResult:
    last = _last_whole_checkpoint(work_dir)
    best = Path(runner.message_hub.get_info("best_ckpt") or "")
    # A kill between removing the old best and writing the new leaves none; the last stands in.
    sources = [path for path in (best, last) if path is not None and path.is_file()]
    candidates = []
    for name, source in zip(("best.pth", "last.pth"), sources, strict=False):
        publish(source, work_dir / name)
        candidates.append(work_dir / name)
    return TrainResult(tuple(candidates), _best_metrics(work_dir), runner.epoch)


def _best_metrics(work_dir: Path) -> dict[str, float]:
    """The validation with the highest EIR, from the logs of all sessions."""
    validations = []
    for log in sorted(work_dir.glob("*/vis_data/scalars.json")):
        records = (json.loads(line) for line in log.read_text().splitlines() if line.strip())
        validations += [record for record in records if "EIR" in record]
    best: dict[str, float] = max(validations, key=lambda record: record["EIR"], default={})
    return {key: value for key, value in best.items() if key in ("EIR", "mAP", "wrong_share")}
