"""The record step: a checked, split and linked copy of an annotation set, with COCO files."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from dataset_tools.annotations import Problem, map_set, num_files, read_set, sorted_problems
from dataset_tools.record.coco import CocoEntry, CocoWriter, coco_dict, coco_entry
from dataset_tools.record.split import SPLITS, Splitter
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
        rejected: All that was wrong with the files that were left out; also in `rejected.json`.
    """

    num_images: dict[str, int]
    num_plates: dict[str, int]
    rejected: tuple[Problem, ...]

    @property
    def num_rejected(self) -> int:
        """Files that were left out, each counted once however much is wrong with it."""
        return num_files(self.rejected)


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
    Images pass one by one; only their names stay in memory.

    Args:
        annotations: The annotation set.
        out: A directory that does not exist yet or is empty; it appears whole or not at all.
        standard: What labels and plates must fit; recorded with the set.
        settings: `split`: the shares of train, val and test. A split of share 0 may be empty.
        num_threads: As many at once, or processes where the set is large; None: one a core.
        progress: Told of every label file.

    Raises:
        DataError: Nothing can be used, a split has no plate, or `out` cannot be written.
        ConfigError: Shares that are none.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DataError(f"{out}: already exists and is not empty")
    shares = settings["split"]
    splitter = Splitter(annotations, shares)
    convert = partial(coco_entry, standard)
    found = map_set(annotations, standard, convert, num_threads, progress)
    try:
        with appearing(out) as root:
            summary = _write(annotations, root, standard, splitter, found)
            _check_plates(annotations, summary, shares)
            rejected = json.dumps([asdict(problem) for problem in summary.rejected], indent=1)
            (root / "rejected.json").write_text(rejected)
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


def _write(
    annotations: Path,
    root: Path,
    standard: PlateStandard,
    splitter: Splitter,
    everything: Iterator[CocoEntry | tuple[Problem, ...]],
) -> RecordSummary:
    """Link every image that can be used and write the COCO files, as long as images come."""
    problems: list[Problem] = []
    strays: list[Problem] = []
    with ExitStack() as stack:
        writers = {
            split: stack.enter_context(CocoWriter(root / f"{split}.json", standard))
            for split in SPLITS
        }
        linker = _Linker(annotations, root)
        for found in everything:
            if isinstance(found, tuple):
                problems += found
            elif (split := splitter.split_of(found.file)) is None:
                strays.append(Problem(found.file, "lies outside of train/, val/ and test/"))
            else:
                writers[split].add(linker.link(found.file, split), found)
    return RecordSummary(
        num_images={split: writer.num_images for split, writer in writers.items()},
        num_plates={split: writer.num_plates for split, writer in writers.items()},
        rejected=(*sorted_problems(problems), *sorted_problems(strays)),
    )


def _check_plates(annotations: Path, summary: RecordSummary, shares: Mapping[str, float]) -> None:
    num_usable = sum(summary.num_images.values())
    if not num_usable:
        first = summary.rejected[0]
        raise DataError(
            f"{annotations}: none of its label files can be used; {first.file}: {first.reason}"
        )
    for split, share in shares.items():
        if share and not summary.num_plates[split]:
            raise DataError(
                f"{annotations}: no plate for the {split} split among "
                f"{num_usable} usable images; label more, or fill {split}/"
            )


class _Linker:
    """Puts images of an annotation set into a training set."""

    def __init__(self, annotations: Path, root: Path) -> None:
        self._annotations = annotations
        self._root = root
        self._made: set[Path] = set()
        for split in SPLITS:
            (root / "images" / split).mkdir(parents=True)

    def link(self, file: str, split: str) -> str:
        """Link or copy one image; gives its name relative to the training set."""
        name = f"images/{split}/{file.removeprefix(f'{split}/')}"
        source, target = self._annotations / file, self._root / name
        if target.parent not in self._made:
            target.parent.mkdir(parents=True, exist_ok=True)
            self._made.add(target.parent)
        if source.is_symlink():
            # A link to it would name a place that means nothing in the training set.
            source = source.resolve()
        try:
            os.link(source, target)
        except OSError:
            # Another file system, one without links, or too many links to one file.
            shutil.copyfile(source, target)
        return name
