"""Annotation sets as a whole: every image with its label file, read, checked and assembled."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from dataset_tools.labelme import Annotation, read_annotation
from dataset_tools.parallel import in_order
from sub_module.datasets.coco import IMAGE_SUFFIXES, check_image
from sub_module.errors import DataError, LabelError
from sub_module.machine import num_cores
from sub_module.plates.assemble import LabelledPlate, assemble_plates
from sub_module.plates.standard import PlateStandard
from sub_module.progress import Progress, silent

Entry = TypeVar("Entry")


@dataclass(frozen=True)
class Problem:
    """A fault because of which a file cannot be used; a file can have several.

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
        label_file: Its label file, likewise.
        annotation: What its label file says.
        plates: The plates that its shapes make.
    """

    file: str
    label_file: str
    annotation: Annotation
    plates: tuple[LabelledPlate, ...]


@dataclass(frozen=True)
class LabelledSet:
    """An annotation set: what can be used of it, and what not; both sorted by file."""

    images: tuple[LabelledImage, ...]
    problems: tuple[Problem, ...]


# What becomes of one label file, or of an image without one.
Found = LabelledImage | tuple[Problem, ...]


def iter_set(
    annotations: Path,
    standard: PlateStandard,
    num_threads: int | None = None,
    progress: Progress = silent,
) -> Iterator[Found]:
    """Read and check every pair of image and label file under a directory, one after the other.

    Every image is decoded once; hidden files and directories are left alone. However large the
    set, only its file names and a few images' labels are in memory at a time.

    Args:
        annotations: The directory.
        standard: What labels and plates must fit.
        num_threads: As many at once, or processes where the set is large; None: one a core.
        progress: Told of every label file.

    Returns:
        For each label file, sorted by name, its image, or all that is wrong with the two; then for
        each image that no label file names, its problem.

    Raises:
        DataError: There is no such directory, or no label file in it.
    """
    return map_set(annotations, standard, _same, num_threads, progress)


def map_set(
    annotations: Path,
    standard: PlateStandard,
    convert: Callable[[LabelledImage], Entry],
    num_threads: int | None = None,
    progress: Progress = silent,
) -> Iterator[Entry | tuple[Problem, ...]]:
    """`iter_set`, with what `convert` makes of each image instead of the image.

    Args:
        annotations: The directory.
        standard: What labels and plates must fit.
        convert: Called where the image was read, so that it has the other cores too; a function of
            a module, or a `partial` of one.
        num_threads: As many at once, or processes where the set is large; None: one a core.
        progress: Told of every label file.

    Raises:
        DataError: As `iter_set`.
    """
    files = list_set(annotations)
    return _iterate(annotations, files, standard, convert, num_threads or num_cores(), progress)


def list_set(annotations: Path) -> list[str]:
    """Every image and label file (`*.json`) of an annotation set, sorted, as `LabelledImage.file`.

    Raises:
        DataError: There is no such directory, or no label file in it.
    """
    if not annotations.is_dir():
        raise DataError(f"{annotations}: no such directory")
    files = sorted(_files(annotations))
    if not any(map(is_label_file, files)):
        raise DataError(f"{annotations}: no label file (*.json) in this directory")
    return files


def has_label_files(directory: Path) -> bool:
    """Whether there is a label file anywhere below a directory, which need not exist.

    A link to a directory has none, as everywhere in an annotation set.
    """
    return not directory.is_symlink() and any(map(is_label_file, _files(directory)))


def is_label_file(file: str) -> bool:
    """Whether a file of an annotation set is a label file; otherwise it is an image."""
    return file.endswith(".json")


def read_set(
    annotations: Path,
    standard: PlateStandard,
    num_threads: int | None = None,
    progress: Progress = silent,
) -> LabelledSet:
    """`iter_set` of a set that fits into memory: everything at once.

    Raises:
        DataError: As `iter_set`.
    """
    images: list[LabelledImage] = []
    problems: list[Problem] = []
    for found in iter_set(annotations, standard, num_threads, progress):
        if isinstance(found, LabelledImage):
            images.append(found)
        else:
            problems += found
    return LabelledSet(
        tuple(sorted(images, key=lambda image: image.file)), sorted_problems(problems)
    )


def sorted_problems(problems: Sequence[Problem]) -> tuple[Problem, ...]:
    """Problems sorted by file; those of one file stay as they were found, shape after shape."""
    return tuple(sorted(problems, key=lambda problem: problem.file))


def num_files(problems: Sequence[Problem]) -> int:
    """How many files have problems."""
    return len({problem.file for problem in problems})


def _files(directory: Path) -> Iterator[str]:
    """Every image and JSON file below, relative to the directory, with forward slashes."""
    for parent, directories, names in os.walk(directory):
        directories[:] = [name for name in directories if not name.startswith(".")]
        relative = Path(parent).relative_to(directory)
        for name in names:
            suffix = os.path.splitext(name)[1].lower()
            if not name.startswith(".") and (is_label_file(name) or suffix in IMAGE_SUFFIXES):
                yield (relative / name).as_posix()


def _iterate(
    annotations: Path,
    files: Sequence[str],
    standard: PlateStandard,
    convert: Callable[[LabelledImage], Entry],
    num_threads: int,
    progress: Progress,
) -> Iterator[Entry | tuple[Problem, ...]]:
    label_files = [file for file in files if is_label_file(file)]
    used: set[str] = set()
    num_rejected = 0
    work = partial(_read_and_convert, annotations, standard, convert)
    pairs = in_order(work, label_files, num_threads)
    for done, (label_file, (file, found)) in enumerate(zip(label_files, pairs, strict=True), 1):
        if file in used:
            file, found = None, (Problem(label_file, f"{file!r} has another label file too"),)
        if file is None:
            num_rejected += 1
        else:
            used.add(file)
        progress(done, len(label_files), f"{num_rejected} rejected" if num_rejected else "")
        yield found
    for problem in _unlabelled(files, label_files, used):
        yield (problem,)


def _same(image: LabelledImage) -> LabelledImage:
    return image


def _read_and_convert(
    annotations: Path,
    standard: PlateStandard,
    convert: Callable[[LabelledImage], Entry],
    label_file: str,
) -> tuple[str | None, Entry | tuple[Problem, ...]]:
    """The image file, or None when it cannot be used, and what is to be said of it."""
    found = _read_pair(annotations, standard, label_file)
    return (found.file, convert(found)) if isinstance(found, LabelledImage) else (None, found)


def _read_pair(annotations: Path, standard: PlateStandard, label_file: str) -> Found:
    path = annotations / label_file
    try:
        annotation = read_annotation(path, standard)
    except DataError as error:
        return _problems(label_file, error, path)
    image = path.parent / annotation.image_name
    image_file = image.relative_to(annotations).as_posix()
    try:
        if not image.is_file():
            return (Problem(label_file, f"its image {annotation.image_name!r} is missing"),)
        size = check_image(image)
    except OSError as error:
        return (Problem(image_file, error.strerror or str(error)),)
    except DataError as error:
        return _problems(image_file, error, image)
    declared = (annotation.width, annotation.height)
    if size != declared:
        reason = (
            f"its image {annotation.image_name!r} has {size[0]}x{size[1]} pixels, "
            f"not {declared[0]}x{declared[1]}"
        )
        return (Problem(label_file, reason),)
    try:
        plates = assemble_plates(
            [shape.label for shape in annotation.shapes],
            [shape.polygon for shape in annotation.shapes],
            [shape.group_id for shape in annotation.shapes],
            standard,
            annotation.numbers,
        )
    except DataError as error:
        return _problems(label_file, error, path)
    return LabelledImage(image_file, label_file, annotation, tuple(plates))


def _problems(file: str, error: DataError, path: Path) -> tuple[Problem, ...]:
    """All that an error says of a file, without the path in front of it."""
    reasons = error.faults if isinstance(error, LabelError) else (str(error),)
    return tuple(Problem(file, reason.removeprefix(f"{path}: ")) for reason in reasons)


def _unlabelled(
    files: Sequence[str], label_files: Sequence[str], used: set[str]
) -> Iterator[Problem]:
    """Images that no label file names; the image of a rejected label file has its fault named."""
    stems = {os.path.splitext(file)[0] for file in label_files}
    for file in files:
        if not is_label_file(file) and file not in used:
            stem = os.path.splitext(file)[0]
            if stem not in stems:
                yield Problem(file, "no label file names this image")
