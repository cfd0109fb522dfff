"""A whole annotation set, drawn by several processes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from dataset_tools.draw.scenes.photos import PHOTOS_KEPT, find_photos, split_photos, two_photos
from dataset_tools.draw.scenes.scene import draw_scene
from dataset_tools.draw.settings import check_settings
from dataset_tools.labelme import annotation_json
from sub_module.errors import ConfigError, DataError
from sub_module.files import appearing
from sub_module.machine import num_cores
from sub_module.plates import PlateStandard
from sub_module.progress import Progress, silent

_IMAGES_A_TASK = 32


@dataclass(frozen=True)
class _Task:
    """Consecutive images of one split, for one process."""

    directory: Path
    indices: range
    photos: tuple[Path, ...]
    standard: PlateStandard
    settings: Mapping[str, Any]
    seed: int


def draw_dataset(
    out: Path,
    num_images: int,
    seed: int,
    standard: PlateStandard,
    settings: Mapping[str, Any],
    shares: Mapping[str, float],
    photos: Path | None = None,
    num_processes: int | None = None,
    progress: Progress = silent,
) -> None:
    """Draw an annotation set: `out/<split>/NNNNNN.jpg`, each with its labelme JSON beside it.

    The same seed gives the same bytes, whatever the number of processes. The splits lie over
    different photographs. `out` appears only when everything in it is written.

    Args:
        out: Must not exist, or be an empty directory.
        num_images: Over all splits.
        seed: Of every choice made.
        standard: The plates to draw.
        settings: `dataset.draw` of a config.
        shares: Split name to share of the images, `dataset.split` of a config.
        photos: A directory of background photographs; None: scikit-image's.
        num_processes: None: one for each core.
        progress: Told of images drawn.

    Raises:
        DataError: `out` is taken, or a photograph cannot be used.
        ConfigError: A setting cannot be used.
    """
    check_settings(settings, standard)
    if num_images < 1:
        raise ConfigError(f"dataset.draw.num_images: {num_images} is below 1")
    if seed < 0:
        raise ConfigError(f"dataset.draw.seed: {seed} is below 0")
    check_free(out)
    parts = split_photos(find_photos(photos), shares)
    try:
        with appearing(out) as partial:
            tasks = list(_tasks(partial, num_images, seed, standard, settings, shares, parts))
            for directory in {task.directory for task in tasks}:
                directory.mkdir()
            _run(tasks, num_images, num_processes or num_cores(), progress)
    except OSError as error:
        raise DataError(f"{out}: cannot write the data set: {error.strerror or error}") from error


def check_free(out: Path) -> None:
    """Refuse to draw where something is.

    Raises:
        DataError: `out` is a file, or a directory that is not empty.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DataError(f"{out}: exists and is not empty; choose another place or delete it")


def _tasks(
    root: Path,
    num_images: int,
    seed: int,
    standard: PlateStandard,
    settings: Mapping[str, Any],
    shares: Mapping[str, float],
    parts: Mapping[str, list[Path]],
) -> Iterator[_Task]:
    total = sum(shares[name] for name in parts)
    bounds, position = {}, 0.0
    for name in shares:
        if name in parts:
            start, position = position, position + shares[name] / total
            bounds[name] = range(round(start * num_images), round(position * num_images))
    for name, indices in bounds.items():
        for first in range(indices.start, indices.stop, _IMAGES_A_TASK):
            chunk = range(first, min(first + _IMAGES_A_TASK, indices.stop))
            photos = _some(parts[name], [seed, first, 1])
            yield _Task(root / name, chunk, photos, standard, settings, seed)


def _some(photos: list[Path], seed: list[int]) -> tuple[Path, ...]:
    """The photographs of one task: all, or where there are many, a few drawn by chance."""
    if len(photos) <= PHOTOS_KEPT:
        return tuple(photos)
    chosen = np.random.default_rng(seed).choice(len(photos), PHOTOS_KEPT, replace=False)
    return tuple(photos[choice] for choice in chosen)


def _run(tasks: list[_Task], num_images: int, num_processes: int, progress: Progress) -> None:
    done = 0
    if num_processes == 1:
        for task in tasks:
            done += _draw(task)
            progress(done, num_images, "")
        return
    with ProcessPoolExecutor(num_processes, mp_context=get_context("spawn")) as pool:
        for count in pool.map(_draw, tasks):
            done += count
            progress(done, num_images, "")


def _draw(task: _Task) -> int:
    cv2.setNumThreads(1)
    low, high = task.settings["jpeg_quality"]
    for index in task.indices:
        rng = np.random.default_rng([task.seed, index])
        photo, other = two_photos(task.photos, task.settings["image_sizes"], rng)
        name = f"{index:06d}.jpg"
        image, annotation = draw_scene(photo, other, name, task.standard, task.settings, rng)
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(low, high + 1))]
        _, encoded = cv2.imencode(".jpg", image[..., ::-1], quality)
        (task.directory / name).write_bytes(encoded.tobytes())
        (task.directory / name).with_suffix(".json").write_text(annotation_json(annotation))
    return len(task.indices)
