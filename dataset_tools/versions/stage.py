"""From a user's directory to a checked set, ready to be published.

The files are first copied into DVC's cache and checked there, so what is published is what was
checked, whatever the user does to the directory meanwhile.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from dataset_tools.annotations import LabelledImage, Problem, iter_set, list_set, sorted_problems
from dataset_tools.catalog import (
    AnnotationRow,
    ImageRow,
    NewAnnotationSet,
    NewTrainingSet,
    Purpose,
)
from dataset_tools.versions.drafts import Draft
from dataset_tools.versions.objects import Cache, content_of, each_of, link
from dataset_tools.versions.version import LeftOut
from sub_module.errors import DataError
from sub_module.plates.standard import PlateStandard
from sub_module.progress import Progress

_PARTS: tuple[Purpose, ...] = ("train", "val", "test")

_UNREVIEWED = "no person has reviewed it yet"
# Checksum and bytes of each file.
_Kept = Mapping[str, tuple[str, int]]


def stage_annotations(
    directory: Path,
    stage: Path,
    cache: Cache,
    category: str,
    standard: PlateStandard,
    skip_rejected: bool,
    allow_unreviewed: bool,
    progress: Progress,
) -> Draft:
    """Copy an annotation set and check every label in it.

    Args:
        directory: The user's.
        stage: Does not exist yet; gets the files of the set.
        cache: Where the bytes go.
        category, standard: As of `DataSets.add`.
        skip_rejected: Leave out what cannot be used, rather than refuse the set.
        allow_unreviewed: Take labels too that no person has gone through.
        progress: Told of files copied, then of label files checked.

    Raises:
        DataError: The set cannot be used; one line says what is wrong with its first file.
        OSError: A file cannot be read, or there is no room for the copies.
    """
    kept = _keep(directory, list_set(directory), stage, cache, progress)
    rows: list[AnnotationRow] = []
    classes: Counter[str] = Counter()
    problems: list[Problem] = []
    for found in iter_set(stage, standard, progress=partial(_checking, progress)):
        if not isinstance(found, LabelledImage):
            problems += found
        elif not (allow_unreviewed or found.annotation.reviewed):
            problems.append(Problem(found.label_file, _UNREVIEWED))
        else:
            rows.append(_annotation_row(found, kept))
            classes.update(shape.label for shape in found.annotation.shapes)
    if problems and not (skip_rejected and rows):
        raise _refusal(directory, problems)
    files = {name for row in rows for name in (row.image, row.label_file)}
    for name in kept.keys() - files:
        (stage / name).unlink()
    content = content_of({name: kept[name][0] for name in files})
    new = NewAnnotationSet(
        category=category,
        version="",
        tag="",
        content_md5=content.md5,
        num_images=len(rows),
        num_plates=sum(row.num_plates or 0 for row in rows),
        class_counts={label: classes[label] for label in standard.classes},
        standard=standard.fingerprint,
    )
    left_out = _left_out(problems)
    figures = {"images": new.num_images, "plates": new.num_plates, **left_out.figures()}
    return Draft(new, content, _size_of(kept, files), figures, annotations=rows, left_out=left_out)


def stage_training(
    directory: Path,
    stage: Path,
    cache: Cache,
    category: str,
    annotation_tag: str,
    annotations: Mapping[str, str],
    standard: PlateStandard,
    split: Mapping[str, float],
    progress: Progress,
) -> Draft:
    """Copy a training set, and find out which image of its annotation set each image is.

    Args:
        directory: With `train.json`, `val.json`, `test.json` and the images that they name.
        stage, cache, category, standard: As of `stage_annotations`.
        annotation_tag: The annotation set that it was recorded from.
        annotations: That set's files, by path, with their checksums.
        split: The share of each part.
        progress: Told of files copied.

    Raises:
        DataError: It is no training set.
        OSError: A file cannot be read, or there is no room for the copies.
    """
    if not directory.is_dir():
        raise DataError(f"{directory}: no such directory")
    names = sorted(
        path.relative_to(directory).as_posix()
        for path in directory.rglob("*")
        if path.is_file() and not any(part[0] == "." for part in path.relative_to(directory).parts)
    )
    kept = _keep(directory, names, stage, cache, progress)
    by_md5 = {md5: name for name, md5 in sorted(annotations.items(), reverse=True)}

    def source_of(name: str, part: str) -> str | None:
        """By name where the bytes are the same too, else by bytes; None: it is none of them."""
        own, md5 = name.removeprefix(f"images/{part}/"), kept[name][0]
        for candidate in (own, f"{part}/{own}"):
            if annotations.get(candidate) == md5:
                return candidate
        return by_md5.get(md5)

    rows = [
        ImageRow(name, part, f"{part}.json", source_of(name, part))
        for part in _PARTS
        for name in _image_names(directory, stage / f"{part}.json", kept)
    ]
    content = content_of({name: md5 for name, (md5, _) in kept.items()})
    num_images: dict[str, int] = {part: sum(row.purpose == part for row in rows) for part in _PARTS}
    new = NewTrainingSet(
        category=category,
        version="",
        tag="",
        content_md5=content.md5,
        annotation_tag=annotation_tag,
        split={part: split.get(part, 0.0) for part in _PARTS},
        num_images=num_images,
        standard=standard.fingerprint,
    )
    figures = {"from": annotation_tag, **num_images}
    return Draft(new, content, _size_of(kept, kept), figures, images=rows)


def _checking(progress: Progress, done: int, total: int, text: str = "") -> None:
    progress(done, total, f"checking {text}")


def _keep(
    directory: Path, names: Sequence[str], stage: Path, cache: Cache, progress: Progress
) -> dict[str, tuple[str, int]]:
    """Copy files into the cache and link them into a stage."""
    stage.mkdir(parents=True)
    for folder in {(stage / name).parent for name in names}:
        folder.mkdir(parents=True, exist_ok=True)

    def keep(name: str) -> tuple[str, int]:
        md5, size = cache.keep(directory / name)
        if not link(cache.path(md5), stage / name):
            shutil.copyfile(cache.path(md5), stage / name)
        return md5, size

    return dict(zip(names, each_of(names, keep, progress, "copying"), strict=True))


def _size_of(kept: _Kept, names: Iterable[str]) -> int:
    return sum(kept[name][1] for name in names)


def _annotation_row(found: LabelledImage, kept: _Kept) -> AnnotationRow:
    (image_md5, image_bytes), (label_md5, label_bytes) = kept[found.file], kept[found.label_file]
    return AnnotationRow(
        image=found.file,
        label_file=found.label_file,
        image_md5=image_md5,
        label_md5=label_md5,
        image_bytes=image_bytes,
        label_bytes=label_bytes,
        num_plates=len(found.plates),
    )


def _left_out(problems: Iterable[Problem]) -> LeftOut:
    problems = sorted_problems(list(problems))
    unreviewed = {problem.file for problem in problems if problem.reason == _UNREVIEWED}
    rejected: dict[str, str] = {}
    for problem in problems:
        if problem.file not in unreviewed:
            rejected.setdefault(problem.file, problem.reason)
    return LeftOut(rejected, tuple(sorted(unreviewed)))


def _image_names(directory: Path, coco_file: Path, kept: _Kept) -> list[str]:
    shown = directory / coco_file.name
    try:
        coco: Any = json.loads(coco_file.read_bytes())
        names = [str(image["file_name"]) for image in coco["images"]]
    except FileNotFoundError:
        raise DataError(f"{shown}: missing; this is no training set") from None
    except (ValueError, TypeError, KeyError) as error:
        raise DataError(f"{shown}: no COCO file") from error
    for name in names:
        if name not in kept:
            raise DataError(f"{shown}: its image {name!r} is missing")
    return names


def _refusal(directory: Path, problems: Sequence[Problem]) -> DataError:
    first, num_files = problems[0], len({problem.file for problem in problems})
    others = f"; {num_files - 1} more with `dataset validate`" if num_files > 1 else ""
    return DataError(f"{directory / first.file}: {first.reason}{others}")
