"""What is wrong with an annotation set, for those who will mend it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dataset_tools.annotations import (
    LabelledImage,
    Problem,
    map_set,
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
        DataError: As `map_set`.
    """
    num_images = 0
    problems: list[Problem] = []
    unreviewed: list[str] = []
    # Only what is asked for comes from the processes that read: a whole image takes long.
    for found in map_set(annotations, standard, _label_file_if_unreviewed, progress=progress):
        if isinstance(found, tuple):
            problems += found
        else:
            num_images += 1
            if found is not None:
                unreviewed.append(found)
    return Validation(num_images, sorted_problems(problems), tuple(unreviewed))


def _label_file_if_unreviewed(image: LabelledImage) -> str | None:
    return None if image.annotation.reviewed else image.label_file
