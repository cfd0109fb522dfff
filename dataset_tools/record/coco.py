"""Labelled images as COCO: a dict in memory, or a file that grows image by image."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dataset_tools.annotations import LabelledImage
from sub_module.plates.geometry import area_of
from sub_module.plates.standard import PlateStandard


def coco_dict(
    images: Iterable[tuple[str, LabelledImage]], standard: PlateStandard
) -> dict[str, Any]:
    """The COCO dict of (file_name, image) pairs, with ids from 1.

    An image has the outlines of what is no plate as `no_plates`, if any are labelled.

    Categories stand in the standard's order. Every annotation has the `plate_id` of its plate, the
    annotations of a plate follow each other (board, groups, characters in reading order), and a
    board's annotation also has the plate's `reading`.
    """
    coco_images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for image_id, (file_name, image) in enumerate(images, start=1):
        size = image.annotation.width, image.annotation.height
        coco_images.append(_image(image_id, file_name, *size, _no_plates(image)))
        first_id = len(annotations) + 1
        annotations += (
            {
                "id": first_id + i,
                "image_id": image_id,
                **place,
                "plate_id": first_id + board,
                **text,
            }
            for i, (board, place, text) in enumerate(_shapes(image, standard))
        )
    return {
        "info": _info(standard),
        "images": coco_images,
        "annotations": annotations,
        "categories": _categories(standard),
    }


@dataclass(frozen=True)
class CocoEntry:
    """What a COCO file holds of one image, all but the ids.

    Attributes:
        file: The image, relative to its annotation set.
        width: Pixels.
        height: Pixels.
        num_plates: Plates on it.
        annotations: A line for each annotation, as `_without_ids` writes it.
        no_plates: Outlines of what is no plate, (x, y, x, y, ...) pixels.
    """

    file: str
    width: int
    height: int
    num_plates: int
    annotations: bytes
    no_plates: tuple[tuple[float, ...], ...]


def coco_entry(standard: PlateStandard, image: LabelledImage) -> CocoEntry:
    """What a `CocoWriter` takes of an image."""
    lines = "".join(_without_ids(*shape) for shape in _shapes(image, standard))
    size = image.annotation.width, image.annotation.height
    return CocoEntry(image.file, *size, len(image.plates), lines.encode(), _no_plates(image))


class _Spooled(NamedTuple):
    """An image whose annotations are in the spool."""

    file_name: str
    width: int
    height: int
    start: int
    num_bytes: int
    no_plates: tuple[tuple[float, ...], ...]


class CocoWriter(AbstractContextManager["CocoWriter"]):
    """Writes a COCO file of any number of images; only their names and sizes stay in memory.

    The file is byte for byte the JSON of `coco_dict` over the images sorted by name, in whichever
    order they come. It is written on leaving; an error leaves none.
    """

    def __init__(self, path: Path, standard: PlateStandard) -> None:
        """Write to `path`; annotations wait in a nameless file in the same directory.

        Raises:
            OSError: No file can be made there.
        """
        self.num_plates = 0
        self._path = path
        self._standard = standard
        self._images: list[_Spooled] = []
        self._spool = tempfile.TemporaryFile(dir=path.parent)  # noqa: SIM115  closed on leaving
        self._spool_bytes = 0

    @property
    def num_images(self) -> int:
        """Images taken so far."""
        return len(self._images)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Write the file, unless an error came up."""
        with self._spool:
            if kind is None:
                self._finish()

    def add(self, file_name: str, entry: CocoEntry) -> None:
        """Take one more image.

        Raises:
            OSError: The disk is full.
        """
        place = self._spool_bytes, len(entry.annotations)
        self._images.append(_Spooled(file_name, entry.width, entry.height, *place, entry.no_plates))
        self._spool_bytes += self._spool.write(entry.annotations)
        self.num_plates += entry.num_plates

    def _finish(self) -> None:
        self._images.sort()
        info, categories = _info(self._standard), _categories(self._standard)
        with self._path.open("wb") as file:
            file.write(f'{{"info": {json.dumps(info)}, "images": ['.encode())
            _write_joined(
                file,
                (
                    json.dumps(
                        _image(i, image.file_name, image.width, image.height, image.no_plates)
                    )
                    for i, image in enumerate(self._images, start=1)
                ),
            )
            file.write(b'], "annotations": [')
            _write_joined(file, self._annotations())
            file.write(f'], "categories": {json.dumps(categories)}}}'.encode())

    def _annotations(self) -> Iterator[str]:
        """The JSON of each annotation, now that its ids are known."""
        next_id = 1
        for image_id, image in enumerate(self._images, start=1):
            self._spool.seek(image.start)
            lines = self._spool.read(image.num_bytes).decode().splitlines()
            for i, line in enumerate(lines):
                yield _with_ids(line, next_id + i, image_id, next_id)
            next_id += len(lines)


def _without_ids(board: int, place: dict[str, Any], text: dict[str, Any]) -> str:
    """One line of an annotation's JSON, without its ids; JSON has no tabs."""
    end = f", {json.dumps(text)[1:]}" if text else "}"
    return f"{board}\t{json.dumps(place)[1:-1]}\t{end}\n"


def _with_ids(line: str, annotation_id: int, image_id: int, first_id: int) -> str:
    board, place, end = line.split("\t")
    plate_id = first_id + int(board)
    ids = f'"id": {annotation_id}, "image_id": {image_id}'
    return f'{{{ids}, {place}, "plate_id": {plate_id}{end}'


def _write_joined(file: IO[bytes], texts: Iterable[str]) -> None:
    for i, text in enumerate(texts):
        file.write(f", {text}".encode() if i else text.encode())


def _info(standard: PlateStandard) -> dict[str, Any]:
    return {"description": "Plateflow training data set", "standard": standard.to_config()}


def _category_ids(standard: PlateStandard) -> dict[str, int]:
    return {label: i for i, label in enumerate(standard.classes, start=1)}


def _categories(standard: PlateStandard) -> list[dict[str, Any]]:
    return [{"id": i, "name": label} for label, i in _category_ids(standard).items()]


def _image(
    image_id: int,
    file_name: str,
    width: int,
    height: int,
    no_plates: tuple[tuple[float, ...], ...],
) -> dict[str, Any]:
    image = {"id": image_id, "file_name": file_name, "width": width, "height": height}
    return {**image, "no_plates": no_plates} if no_plates else image


def _no_plates(image: LabelledImage) -> tuple[tuple[float, ...], ...]:
    return tuple(
        tuple(shape.polygon.round(2).ravel().tolist()) for shape in image.annotation.no_plates
    )


def _shapes(
    image: LabelledImage, standard: PlateStandard
) -> Iterator[tuple[int, dict[str, Any], dict[str, Any]]]:
    """The shapes of an image's plates, in the order of their annotations.

    Yields:
        How many shapes of the image come before the plate's board, where and what the shape is,
        and a board's reading.
    """
    category_ids = _category_ids(standard)
    num_before = 0
    for plate in image.plates:
        in_text = [index for index, _ in plate.characters]
        groups = [index for index in plate.members if index not in in_text]
        indices = (plate.board, *groups, *in_text)
        for index in indices:
            shape = image.annotation.shapes[index]
            place = {
                "category_id": category_ids[shape.label],
                **_place(shape.polygon),
                "area": round(area_of(shape.polygon), 2),
                "iscrowd": 0,
            }
            reading = {"reading": plate.reading.to_dict()} if index == plate.board else {}
            yield num_before, place, reading
        num_before += len(indices)


def _place(polygon: NDArray[np.float64]) -> dict[str, Any]:
    """Box (x, y, width, height) and outline, in pixels."""
    low, high = polygon.min(axis=0), polygon.max(axis=0)
    return {
        "bbox": np.concatenate((low, high - low)).round(2).tolist(),
        "segmentation": [polygon.round(2).ravel().tolist()],
    }
