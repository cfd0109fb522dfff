"""Training, on one process or several, resumed where it was cut off."""

from __future__ import annotations

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
from mmengine.runner import Runner

from sub_module.engine.checkpoint import publish
from sub_module.engine.logs import logged
from sub_module.engine.optimisation import optimisation
from sub_module.engine.resume import last_whole_checkpoint
from sub_module.engine.runner import build_runner, runner_parts
from sub_module.engine.starting_weights import load_starting_weights
from sub_module.engine.train_settings import METRICS, check_train_settings
from sub_module.errors import PlateflowError, RunError
from sub_module.files import write_text
from sub_module.machine import num_cores
from sub_module.progress import Progress, silent

# How long a process may take to end when another has.
_FAREWELL_SECONDS = 15


@dataclass(frozen=True)
class TrainResult:
    """What training left behind.

    Attributes:
        candidates: Checkpoints worth evaluating, the best by validation first.
        metrics: The best validation's.
        num_epochs: Whole epochs trained.
    """

    candidates: tuple[Path, ...]
    metrics: dict[str, float]
    num_epochs: int


def train(
    config: Mapping[str, Any], training_set: Path, work_dir: Path, progress: Progress = silent
) -> TrainResult:
    """Train a config's model; called again after a kill, it goes on from the last checkpoint.

    Args:
        config: A pipeline config: `plates`, `model` and `train` are used.
        training_set: What `record` wrote: `train.json`, `val.json`, images.
        work_dir: Checkpoints, logs and TensorBoard files go here.
        progress: Told of iterations.

    Raises:
        PlateflowError: The config, the data or a checkpoint to resume from cannot be used.
        RunError: A training process died, memory ran short, or the loss or a weight is not finite
            any more; a checkpoint to go on from is named where there is one.
    """
    check_train_settings(config["train"])
    num_processes = _num_processes(config["train"]["num_processes"])
    work_dir.mkdir(parents=True, exist_ok=True)
    _check_once(config, training_set, work_dir)
    with tempfile.TemporaryDirectory() as folder:
        meeting_place = Path(folder)
        others = _start_others(config, training_set, work_dir, num_processes, meeting_place)
        try:
            runner = _run(config, training_set, work_dir, progress, 0, num_processes, meeting_place)
        except RuntimeError as error:
            # When another process ends, this one hears no more than a closed connection.
            for process in others:
                process.join(timeout=_FAREWELL_SECONDS)
            reasons = [path.read_text() for path in sorted(meeting_place.glob("error-*"))]
            if reasons:
                raise RunError(reasons[0]) from error
            if any(process.exitcode for process in others):
                raise RunError(f"{work_dir}: a training process died: {error}") from error
            raise
        finally:
            for process in others:
                process.join(timeout=_FAREWELL_SECONDS)
                process.terminate()
    return _result(runner, config, work_dir)


def _check_once(config: Mapping[str, Any], training_set: Path, work_dir: Path) -> None:
    """Build everything that a user may have got wrong, before processes start."""
    optimisation(config["train"])
    model, _, _ = runner_parts(config, training_set)
    if last_whole_checkpoint(work_dir) is None:
        load_starting_weights(model, config["train"])


def _num_processes(wanted: int | None) -> int:
    """As many as GPUs; without one, two single-threaded processes beat one with two threads."""
    if wanted:
        return wanted
    if torch.cuda.is_available():
        return torch.cuda.device_count()
    return min(2, num_cores())


def _start_others(
    config: Mapping[str, Any],
    training_set: Path,
    work_dir: Path,
    world_size: int,
    meeting_place: Path,
) -> list[BaseProcess]:
    context = get_context("spawn")
    others: list[BaseProcess] = []
    for rank in range(1, world_size):
        arguments = (config, training_set, work_dir, silent, rank, world_size, meeting_place)
        process = context.Process(target=_run_other, args=arguments)
        process.start()
        others.append(process)
    return others


def _run_other(*arguments: Any) -> None:
    """`_run` in a process that is not the caller's: its error goes to the meeting place."""
    try:
        _run(*arguments)
    except PlateflowError as error:
        *_, rank, _, meeting_place = arguments
        write_text(meeting_place / f"error-{rank}", str(error))
        raise SystemExit(2) from error


def _run(
    config: Mapping[str, Any],
    training_set: Path,
    work_dir: Path,
    progress: Progress,
    rank: int,
    world_size: int,
    meeting_place: Path,
) -> Runner:
    """Train as process `rank` of `world_size`. The first is the caller's own: when it is killed,
    the others lose their connection and end too."""
    on_gpu = torch.cuda.is_available()
    if on_gpu:
        torch.cuda.set_device(rank)
    single_threaded = not on_gpu and world_size > 1
    with _single_threaded(single_threaded), _deterministic(config["train"]["deterministic"]):
        if world_size > 1:
            # mmengine reads it, whatever the devices are.
            os.environ["LOCAL_RANK"] = str(rank)
            torch.distributed.init_process_group(
                "nccl" if on_gpu else "gloo",
                init_method=f"file://{meeting_place / 'rendezvous'}",
                rank=rank,
                world_size=world_size,
            )
        try:
            last = last_whole_checkpoint(work_dir)
            runner = build_runner(config, training_set, work_dir, progress, world_size, last)
            runner.train()
        except torch.OutOfMemoryError as error:
            raise RunError(
                "training: the GPU's memory ran out; lower train.batch_size (train.accumulate "
                "makes up for it)"
            ) from error
        finally:
            if world_size > 1:
                torch.distributed.destroy_process_group()
                del os.environ["LOCAL_RANK"]
    return runner


@contextmanager
def _deterministic(wanted: bool) -> Iterator[None]:
    """Leave torch as it was, which mmengine makes deterministic where that is wanted."""
    before = torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.deterministic
    if wanted:
        # cuBLAS reads it when it starts.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0])
        torch.backends.cudnn.deterministic = before[1]


@contextmanager
def _single_threaded(wanted: bool) -> Iterator[None]:
    before = torch.get_num_threads(), cv2.getNumThreads()
    if wanted:
        torch.set_num_threads(1)
        cv2.setNumThreads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        cv2.setNumThreads(before[1])


def _result(runner: Runner, config: Mapping[str, Any], work_dir: Path) -> TrainResult:
    last = last_whole_checkpoint(work_dir)
    best = Path(runner.message_hub.get_info("best_ckpt") or "")
    # A kill between removing the old best and writing the new leaves none; the last stands in.
    sources = [path for path in (best, last) if path is not None and path.is_file()]
    candidates = []
    for name, source in zip(("best.pth", "last.pth"), sources, strict=False):
        publish(source, work_dir / name)
        candidates.append(work_dir / name)
    metrics = _best_metrics(work_dir, config["train"]["best_metric"])
    return TrainResult(tuple(candidates), metrics, runner.epoch)


def _best_metrics(work_dir: Path, best_metric: str) -> dict[str, float]:
    """The validation with the highest value, from the logs of all sessions."""
    validations = [record for record in logged(work_dir) if best_metric in record]
    best: dict[str, float] = max(validations, key=lambda r: float(r[best_metric]), default={})
    return {key: value for key, value in best.items() if key in (*METRICS, "wrong_share")}
