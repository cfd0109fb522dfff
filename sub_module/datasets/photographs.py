"""Photographs with a text file each that says where which number plate stands.

The format of the public end-to-end benchmark openalpr/benchmarks: beside `a.jpg` lies `a.txt` with
a line `file name, x, y, width, height, text` for each plate, separated by tabs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from sub_module.datasets.coco import IMAGE_SUFFIXES
from sub_module.errors import DataError
from sub_module.plates.geometry import Box

LABEL_SUFFIX = ".txt"
# Text may be missing.
_NUM_NUMBERS, _NUM_FIELDS = 4, (5, 6)


@dataclass(frozen=True)
class LabelledPlate:
    """One plate of a photograph.

    Attributes:
        box: (x1, y1, x2, y2), pixels of the photograph.
        text: Letters and digits alone, upper case, as `plain_text` gives them; empty: not known.
    """

    box: Box
    text: str


@dataclass(frozen=True)
class Photograph:
    """A photograph and the plates on it.

    Attributes:
        path: The image file.
        plates: Empty when it shows none.
    """

    path: Path
    plates: tuple[LabelledPlate, ...]


def plain_text(text: str) -> str:
    """A plate's text without what stands between its characters: `B-MW 123` is `BMW123`."""
    return "".join(character for character in text.upper() if character.isalnum())


def holds_photographs(directory: Path) -> bool:
    """Whether images of a directory have text files, and none has the JSON of an annotation set."""
    if not directory.is_dir():
        return False
    files = [path for path in directory.iterdir() if path.is_file()]
    named = {(path.stem, path.suffix.lower()) for path in files}
    stems = {path.stem for path in files if path.suffix.lower() in IMAGE_SUFFIXES}
    has_labels = any((stem, LABEL_SUFFIX) in named for stem in stems)
    return has_labels and not any((stem, ".json") in named for stem in stems)


def load_photographs(directory: Path) -> list[Photograph]:
    """The photographs of a directory in the order of their names; nothing is decoded.

    An empty text file says that a photograph shows no plate.

    Raises:
        DataError: A photograph has no text file, two have the same, or a line is none of the
            format; the message names file and line.
    """
    paths: dict[str, Path] = {}
    for path in sorted(directory.iterdir()):
        if not path.is_file() or path.suffix.lower() not in IMAGE_SUFFIXES:
            continue
        if path.stem in paths:
            other = paths[path.stem].name
            raise DataError(f"{path}: {other} has the same label file, {path.stem}{LABEL_SUFFIX}")
        paths[path.stem] = path
    if not paths:
        raise DataError(f"{directory}: no photograph in it")
    return [Photograph(path, _plates(path)) for path in paths.values()]


def _plates(photograph: Path) -> tuple[LabelledPlate, ...]:
    file = next(
        (
            path
            for suffix in (LABEL_SUFFIX, LABEL_SUFFIX.upper())
            if (path := photograph.with_suffix(suffix)).is_file()
        ),
        photograph.with_suffix(LABEL_SUFFIX),
    )
    try:
        # utf-8-sig: Windows' editors put a mark at the beginning.
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError as error:
        raise DataError(
            f"{photograph}: {file.name} is missing; an empty one says that no plate is shown"
        ) from error
    except OSError as error:
        raise DataError(f"{file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{file}: not UTF-8 text") from error
    plates = []
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                plates.append(_plate(line, photograph))
            except ValueError as error:
                raise DataError(f"{file}, line {number}: {error}") from error
    return tuple(plates)


def _plate(line: str, photograph: Path) -> LabelledPlate:
    """The plate of a line; ValueError says what is wrong with it."""
    fields = [field.strip() for field in line.split("\t")]
    while len(fields) > max(_NUM_FIELDS) and not fields[-1]:
        fields.pop()
    if len(fields) not in _NUM_FIELDS:
        raise ValueError(
            f"{len(fields)} fields, not file name, x, y, width, height and text with tabs between"
        )
    name, numbers, text = fields[0], fields[1 : 1 + _NUM_NUMBERS], "".join(fields[5:])
    if Path(name).name != photograph.name and Path(name).stem != photograph.stem:
        raise ValueError(f"names {name!r}, but the photograph beside it is {photograph.name}")
    try:
        x, y, width, height = (float(number) for number in numbers)
    except ValueError:
        raise ValueError(f"x, y, width, height are no numbers: {' '.join(numbers)}") from None
    if not all(map(math.isfinite, (x, y, width, height))) or width <= 0 or height <= 0:
        raise ValueError(f"a plate of {width:g}x{height:g} pixels at ({x:g}, {y:g})")
    return LabelledPlate((x, y, x + width, y + height), plain_text(text))
