"""What is wrong with an annotation set, for those who will mend it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dataset_tools.annotations import (
    LabelledImage,
    Problem,
    iter_set,
    num_files,
    sorted_problems,
)
from sub_module.plates.standard import PlateStandard
from sub_module.progress import Progress, silent


@dataclass(frozen=True)
class Validation:
    """What `validate` finds.

    Attributes:
        num_images: Images that can be used.
        problems: What cannot, and why; sorted by file.
        unreviewed: Label files that are in order, but that no person has gone through; sorted.
    """

    num_images: int
    problems: tuple[Problem, ...]
    unreviewed: tuple[str, ...]

    @property
    def num_rejected(self) -> int:
        """Files that cannot be used, each counted once however much is wrong with it."""
        return num_files(self.problems)


def validate(annotations: Path, standard: PlateStandard, progress: Progress = silent) -> Validation:
    """What can be used of an annotation set and what is wrong with the rest of it.

    Raises:
        DataError: As `iter_set`.
    """
    num_images = 0
    problems: list[Problem] = []
    unreviewed: list[str] = []
    for found in iter_set(annotations, standard, progress=progress):
        if isinstance(found, LabelledImage):
            num_images += 1
            if not found.annotation.reviewed:
                unreviewed.append(found.label_file)
        else:
            problems += found
    return Validation(num_images, sorted_problems(problems), tuple(unreviewed))
