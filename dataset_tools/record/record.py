"""The record step: a checked, split and linked copy of an annotation set, with COCO files."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dataset_tools.annotations import LabelledImage, LabelledSet, Problem, read_set
from dataset_tools.record.coco import coco_dict
from dataset_tools.record.split import split_images
from sub_module.errors import DataError
from sub_module.files import appearing
from sub_module.plates.standard import PlateStandard
from sub_module.progress import Progress, silent


@dataclass(frozen=True)
class RecordSummary:
    """What became of an annotation set.

    Attributes:
        num_images: Images in each of train, val and test.
        num_plates: Plates in each of train, val and test.
        rejected: The files that were left out, and why; also in `rejected.json`.
    """

    num_images: dict[str, int]
    num_plates: dict[str, int]
    rejected: tuple[Problem, ...]


def record(
    annotations: Path,
    out: Path,
    standard: PlateStandard,
    settings: Mapping[str, Any],
    num_threads: int | None = None,
    progress: Progress = silent,
) -> RecordSummary:
    """Make a training data set of an annotation set.

    Writes `train.json`, `val.json` and `test.json` (COCO), `images/<split>/` (hard links where
    the file system can, else copies) and `rejected.json`. The same set gives the same bytes.

    Args:
        annotations: The annotation set.
        out: A directory that does not exist yet or is empty; it appears whole or not at all.
        standard: What labels and plates must fit; recorded with the set.
        settings: `split`: the shares of train, val and test. A split of share 0 may be empty.
        num_threads: As many at once; None: one a core.
        progress: Told of every label file.

    Raises:
        DataError: Nothing can be used, a split has no plate, or `out` cannot be written.
        ConfigError: Shares that are none.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DataError(f"{out}: already exists and is not empty")
    labelled = _usable(read_set(annotations, standard, num_threads, progress), annotations)
    splits, strays = split_images(labelled.images, settings["split"])
    summary = RecordSummary(
        num_images={split: len(images) for split, images in splits.items()},
        num_plates={split: sum(len(i.plates) for i in images) for split, images in splits.items()},
        rejected=(*labelled.problems, *strays),
    )
    for split, share in settings["split"].items():
        if share and not summary.num_plates[split]:
            raise DataError(
                f"{annotations}: no plate for the {split} split among "
                f"{len(labelled.images)} usable images; label more, or fill {split}/"
            )
    try:
        with appearing(out) as partial:
            for split, images in splits.items():
                names = _link_images(annotations, partial, split, images)
                coco = coco_dict(zip(names, images, strict=True), standard)
                (partial / f"{split}.json").write_text(json.dumps(coco))
            rejected = json.dumps([asdict(problem) for problem in summary.rejected], indent=1)
            (partial / "rejected.json").write_text(rejected)
    except OSError as error:
        raise DataError(f"{out}: cannot be written: {error.strerror or error}") from error
    return summary


def coco_of(
    annotations: Path, standard: PlateStandard, progress: Progress = silent
) -> dict[str, Any]:
    """The COCO dict of a whole annotation set, unsplit; file names are relative to it.

    Raises:
        DataError: A file of the set cannot be used: figures of half a set would mislead.
    """
    labelled = read_set(annotations, standard, progress=progress)
    if labelled.problems:
        first, num = labelled.problems[0], len(labelled.problems)
        others = f" (and {num - 1} more)" if num > 1 else ""
        raise DataError(f"{annotations / first.file}: {first.reason}{others}")
    return coco_dict(((image.file, image) for image in labelled.images), standard)


def _usable(labelled: LabelledSet, annotations: Path) -> LabelledSet:
    if not labelled.images:
        first = labelled.problems[0]
        raise DataError(
            f"{annotations}: none of its label files can be used; {first.file}: {first.reason}"
        )
    return labelled


def _link_images(
    annotations: Path, root: Path, split: str, images: Sequence[LabelledImage]
) -> list[str]:
    """Link the images of a split below a directory; gives their names relative to it."""
    names = [f"images/{split}/{image.file.removeprefix(f'{split}/')}" for image in images]
    (root / "images" / split).mkdir(parents=True)
    for name, image in zip(names, images, strict=True):
        source, target = (annotations / image.file).resolve(), root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(source, target)
        except OSError:
            # Another file system, or one without links.
            shutil.copyfile(source, target)
    return names
