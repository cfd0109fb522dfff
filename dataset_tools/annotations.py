"""Annotation sets as a whole: every image with its label file, read, checked and assembled."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from dataset_tools.labelme import Annotation, read_annotation
from sub_module.datasets.coco import IMAGE_SUFFIXES, check_image
from sub_module.errors import DataError
from sub_module.machine import num_cores
from sub_module.plates.assemble import LabelledPlate, assemble_plates
from sub_module.plates.standard import PlateStandard
from sub_module.progress import Progress, silent


@dataclass(frozen=True)
class Problem:
    """A file that cannot be used.

    Attributes:
        file: Relative to the annotation set, with forward slashes.
        reason: One line.
    """

    file: str
    reason: str


@dataclass(frozen=True)
class LabelledImage:
    """An image whose label file is in order.

    Attributes:
        file: The image, relative to the annotation set, with forward slashes.
        annotation: What its label file says.
        plates: The plates that its shapes make.
    """

    file: str
    annotation: Annotation
    plates: tuple[LabelledPlate, ...]


@dataclass(frozen=True)
class LabelledSet:
    """An annotation set: what can be used of it, and what not; both sorted by file."""

    images: tuple[LabelledImage, ...]
    problems: tuple[Problem, ...]


def read_set(
    annotations: Path,
    standard: PlateStandard,
    num_threads: int | None = None,
    progress: Progress = silent,
) -> LabelledSet:
    """Read and check every pair of image and label file under a directory.

    Every image is decoded once; hidden files and directories are left alone.

    Args:
        annotations: The directory.
        standard: What labels and plates must fit.
        num_threads: As many at once; None: one a core.
        progress: Told of every label file.

    Raises:
        DataError: There is no such directory, or no label file in it.
    """
    if not annotations.is_dir():
        raise DataError(f"{annotations}: no such directory")
    files = sorted(_files(annotations))
    label_files = [file for file in files if file.endswith(".json")]
    if not label_files:
        raise DataError(f"{annotations}: no label file (*.json) in this directory")
    images: dict[str, LabelledImage] = {}
    problems: list[Problem] = []
    with _threads(num_threads) as pool:
        pairs = pool.map(partial(_read_pair, annotations, standard), label_files)
        for done, (label_file, found) in enumerate(zip(label_files, pairs, strict=True), start=1):
            if isinstance(found, Problem):
                problems.append(found)
            elif found.file in images:
                problems.append(Problem(label_file, f"{found.file!r} has another label file too"))
            else:
                images[found.file] = found
            progress(done, len(label_files), f"{len(problems)} rejected" if problems else "")
    problems += _unlabelled(files, label_files, images)
    return LabelledSet(
        images=tuple(images[file] for file in sorted(images)),
        problems=tuple(sorted(problems, key=lambda problem: (problem.file, problem.reason))),
    )


def validate(
    annotations: Path, standard: PlateStandard, progress: Progress = silent
) -> list[Problem]:
    """What is wrong with an annotation set; empty when all of it can be used.

    Raises:
        DataError: As `read_set`.
    """
    return list(read_set(annotations, standard, progress=progress).problems)


def _files(directory: Path) -> Iterator[str]:
    """Every image and JSON file below, relative to the directory, with forward slashes."""
    for parent, directories, names in os.walk(directory):
        directories[:] = [name for name in directories if not name.startswith(".")]
        relative = Path(parent).relative_to(directory)
        for name in names:
            suffix = os.path.splitext(name)[1].lower()
            if not name.startswith(".") and (name.endswith(".json") or suffix in IMAGE_SUFFIXES):
                yield (relative / name).as_posix()


@contextmanager
def _threads(num_threads: int | None) -> Iterator[ThreadPoolExecutor]:
    """Threads that drop what is left to do when the caller gives up.

    Threads, not processes: decoding leaves the interpreter free, and for thousands of images the
    start of processes and the way of the results between them cost more than they bring.
    """
    pool = ThreadPoolExecutor(num_threads or num_cores())
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _read_pair(
    annotations: Path, standard: PlateStandard, label_file: str
) -> LabelledImage | Problem:
    path = annotations / label_file
    try:
        annotation = read_annotation(path, standard)
    except DataError as error:
        return Problem(label_file, str(error).removeprefix(f"{path}: "))
    image = path.parent / annotation.image_name
    image_file = image.relative_to(annotations).as_posix()
    if not image.is_file():
        return Problem(label_file, f"its image {annotation.image_name!r} is missing")
    try:
        size = check_image(image)
    except DataError as error:
        return Problem(image_file, str(error).removeprefix(f"{image}: "))
    declared = (annotation.width, annotation.height)
    if size != declared:
        return Problem(
            label_file,
            f"its image {annotation.image_name!r} has {size[0]}x{size[1]} pixels, "
            f"not {declared[0]}x{declared[1]}",
        )
    try:
        plates = assemble_plates(
            [shape.label for shape in annotation.shapes],
            [shape.polygon for shape in annotation.shapes],
            [shape.group_id for shape in annotation.shapes],
            standard,
        )
    except DataError as error:
        return Problem(label_file, str(error))
    return LabelledImage(image_file, annotation, tuple(plates))


def _unlabelled(
    files: list[str], label_files: list[str], images: dict[str, LabelledImage]
) -> Iterator[Problem]:
    """Images that no label file names; the image of a rejected label file has its fault named."""
    stems = {os.path.splitext(file)[0] for file in label_files}
    for file in files:
        if not file.endswith(".json") and file not in images:
            stem = os.path.splitext(file)[0]
            if stem not in stems:
                yield Problem(file, "no label file names this image")
