"""Label files that a model writes, so that a person corrects instead of drawing."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING, Any

from dataset_tools.annotations import Problem
from dataset_tools.labelme import Annotation, annotation_json
from dataset_tools.proposed_shapes import proposed_shapes
from sub_module.datasets.coco import IMAGE_SUFFIXES, load_image
from sub_module.errors import DataError
from sub_module.files import is_disk_full, write_text
from sub_module.progress import Progress, silent

if TYPE_CHECKING:
    from sub_module.engine.infer import Detector

# Where a label file says what was proposed; labelme leaves what it does not know as it is.
_PROPOSAL = "proposal"


@dataclass(frozen=True)
class Preannotated:
    """What `preannotate` did.

    Attributes:
        label_files: Those written, relative to the directory, with forward slashes; sorted.
        num_plates: Plates in them.
        num_kept: Images whose label file was there and stays as it was.
        problems: Images that cannot be read, or whose label file cannot be written.
    """

    label_files: tuple[str, ...]
    num_plates: int
    num_kept: int
    problems: tuple[Problem, ...]


def preannotate(
    directory: Path, detector: Detector, overwrite: bool = False, progress: Progress = silent
) -> Preannotated:
    """Write a label file for every image under a directory that has none.

    They carry the flag `reviewed`, not ticked, which labelme shows as a box. A label file that
    a person wrote, changed or ticked is never touched. Hidden files and directories are left alone.

    Args:
        directory: Images, some of them with labels.
        detector: Whose findings are written.
        overwrite: Whether proposals that nobody reviewed or changed yet are made anew.
        progress: Told of every image.

    Raises:
        DataError: There is no such directory, or no image in it.
        OSError: The disk is full.
    """
    images, label_files = _files(directory)
    if not images:
        raise DataError(f"{directory}: no image in this directory")
    owners = _owners(label_files)
    written: list[str] = []
    problems: list[Problem] = []
    num_plates = num_kept = 0
    for done, image in enumerate(images, start=1):
        target = owners.get(image) or image.with_suffix(".json")
        try:
            plates = _preannotate(image, target, detector, overwrite)
        except DataError as error:
            reason = str(error).removeprefix(f"{image}: ")
            problems.append(Problem(image.relative_to(directory).as_posix(), reason))
        else:
            if plates is None:
                num_kept += 1
            else:
                written.append(target.relative_to(directory).as_posix())
                num_plates += plates
        progress(done, len(images), f"{num_plates} plates")
    return Preannotated(tuple(sorted(written)), num_plates, num_kept, tuple(problems))


def _preannotate(image: Path, target: Path, detector: Detector, overwrite: bool) -> int | None:
    """Write an image's label file: the number of plates in it; None: what is there stays.

    Raises:
        DataError: The image cannot be read, or the label file not be written.
    """

    def must_stay() -> bool:
        return target.exists() and not (overwrite and _is_untouched(target))

    # Such as a.json of a.jpg, where a.png lies beside it.
    if target.exists() and _image_of(target) not in (None, image):
        raise DataError(f"{target.name!r} is the label file of another image")
    if must_stay():
        return None
    pixels = load_image(image)
    height, width = pixels.shape[:2]
    (findings,) = detector.find([pixels])
    shapes = proposed_shapes(findings, detector.standard, (width, height))
    # A person may have saved one while the model was reading.
    if must_stay():
        return None
    _write(target, Annotation(image.name, width, height, shapes, reviewed=False))
    return len({shape.group_id for shape in shapes})


def _files(directory: Path) -> tuple[list[Path], list[Path]]:
    """The images and the label files below a directory, sorted."""
    if not directory.is_dir():
        raise DataError(f"{directory}: no such directory")
    images, label_files = [], []
    for parent, folders, names in os.walk(directory):
        folders[:] = [folder for folder in folders if not folder.startswith(".")]
        for name in names:
            path = Path(parent, name)
            if name.startswith("."):
                continue
            if name.endswith(".json"):
                label_files.append(path)
            elif path.suffix.lower() in IMAGE_SUFFIXES:
                images.append(path)
    return sorted(images), sorted(label_files)


def _owners(label_files: list[Path]) -> dict[Path, Path]:
    """The label file of each image that one names."""
    owners: dict[Path, Path] = {}
    for label_file in label_files:
        image = _image_of(label_file)
        if image is not None:
            owners.setdefault(image, label_file)
    return owners


def _content(label_file: Path) -> dict[str, Any] | None:
    """What a label file holds; None where it cannot be read."""
    try:
        raw = json.loads(label_file.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return raw if isinstance(raw, dict) else None


def _image_of(label_file: Path) -> Path | None:
    """The image that a label file names; None where it names none."""
    name = (_content(label_file) or {}).get("imagePath")
    if not isinstance(name, str) or not PureWindowsPath(name).name:
        return None
    return label_file.parent / PureWindowsPath(name).name


def _is_untouched(label_file: Path) -> bool:
    """Whether a label file is as a model proposed it, and nobody has ticked it."""
    raw = _content(label_file) or {}
    flags = raw.get("flags")
    if not isinstance(flags, dict) or flags.get("reviewed") is not False:
        return False
    return _PROPOSAL not in raw or raw[_PROPOSAL] == _fingerprint(raw)


def _fingerprint(raw: dict[str, Any]) -> str | None:
    """A hash of what a person would change in labelme; None: it is no list of shapes."""
    try:
        shapes = [
            [shape["label"], shape["group_id"], [[float(x), float(y)] for x, y in shape["points"]]]
            for shape in raw["shapes"]
        ]
    except (KeyError, TypeError, ValueError):
        return None
    return hashlib.sha256(json.dumps(shapes).encode()).hexdigest()[:12]


def _write(label_file: Path, annotation: Annotation) -> None:
    raw = json.loads(annotation_json(annotation))
    raw[_PROPOSAL] = _fingerprint(raw)
    try:
        write_text(label_file, json.dumps(raw))
    except OSError as error:
        if is_disk_full(error):
            raise
        reason = error.strerror or str(error)
        raise DataError(f"{label_file.name!r} cannot be written: {reason}") from error
