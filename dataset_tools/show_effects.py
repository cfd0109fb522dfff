"""The drawing steps of a config for the eye: one scene without and with each, side by side."""

from __future__ import annotations

import io
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

from dataset_tools.draw import draw_scene
from dataset_tools.draw.brushes import Image as Picture
from dataset_tools.draw.plates.paint import paint_plate
from dataset_tools.draw.scenes.distractors import draw_distractor
from dataset_tools.draw.scenes.photos import find_photos, load_photo
from dataset_tools.draw.settings import check_settings
from sub_module.errors import DataError
from sub_module.files import write_bytes
from sub_module.plates import Layout, PlateStandard
from sub_module.progress import Progress, silent

Pair = tuple[Picture, Picture]
# Of `dataset.draw`: shares of plates or images that something is done to, what that belongs to; and
# what there is at most so many of in an image. Patches of other photographs are no step of their
# own: with them, chance has another scene.
_SHARES = {"strokes": "plate", "cars": "scene"}
_SHARES |= dict.fromkeys(("shadow", "blur", "noise"), "camera")
_COUNTS = ("max_distractors", "hard_negatives")
# What most plates have, or none, the other steps are shown with, or without.
_USUAL = ("strokes", "cars")
# A step at its mildest shows nothing; each is drawn over so many scenes, and shown where it does
# most.
_NUM_SCENES = 4
# Plates large enough to see what was done to them.
_PLATE_WIDTH = [0.25, 0.4]
_PLATE_PX = 320
_TILE = (214, 190)
_GAP, _TITLE_PX, _CAPTION_PX, _TEXT_PX = 6, 40, 24, 14
_NUM_PAIRS = 3
_PAPER, _INK, _ACCENT = (24, 26, 30), (214, 218, 224), (255, 196, 0)


@dataclass(frozen=True)
class Step:
    """One drawing step of a config.

    Attributes:
        name: As the config calls it.
        of: What it belongs to: `plate`, `scene`, `camera`, or `furniture of` a layout.
        often: What the config says of it: a share of the plates or images, or a largest number.
        standard: With the furniture that the step is, or none.
        without: `dataset.draw` without the step.
        settings: `dataset.draw` with it.
        layout: Of the plates that it shows on; None: it shows on a scene.
    """

    name: str
    of: str
    often: str
    standard: PlateStandard
    without: Mapping[str, Any]
    settings: Mapping[str, Any]
    layout: str | None = None


def show_effects(
    out: Path,
    settings: Mapping[str, Any],
    standard: PlateStandard,
    photos: Path | None = None,
    num_scenes: int = _NUM_SCENES,
    progress: Progress = silent,
) -> list[Step]:
    """Draw a contact sheet of every step that a config draws with.

    Args:
        out: The `.png` to write.
        settings: `dataset.draw` of the config.
        standard: Its plates.
        photos: A directory of background photographs; None: scikit-image's.
        num_scenes: Of so many scenes the one is shown that a step changes most.
        progress: Told of steps drawn.

    Returns:
        The steps, as they stand on the sheet from left to right and from top to bottom.

    Raises:
        DataError: The file has another ending or cannot be written, a photograph cannot be used, or
            every step is off.
        ConfigError: A setting cannot be used.
    """
    if out.suffix.lower() != ".png":
        raise DataError(f"{out}: it must end in .png")
    check_settings(settings, standard)
    steps = steps_of(settings, standard)
    if not steps:
        raise DataError(f"{out}: the config draws with no step that could be shown")
    width, height = settings["image_sizes"][0]
    loaded = [load_photo(path, (width, height)) for path in find_photos(photos)[:num_scenes]]
    pairs = []
    for number, step in enumerate(steps, 1):
        pairs.append(_pair(step, loaded, num_scenes))
        progress(number, len(steps), step.name)
    encoded = io.BytesIO()
    _sheet(steps, pairs).save(encoded, "PNG")
    try:
        write_bytes(out, encoded.getvalue())
    except OSError as error:
        raise DataError(f"{out}: cannot be written: {error.strerror or error}") from error
    return steps


def steps_of(settings: Mapping[str, Any], standard: PlateStandard) -> list[Step]:
    """Every step that is drawn now and then; those that are off are left out.

    Args:
        settings: `dataset.draw` of a config.
        standard: Its plates.
    """
    order = ("plate", *(f"furniture of {one.name}" for one in standard.layouts), "scene", "camera")
    found = (*_furniture(settings, standard), *_of_settings(settings, _bare(standard)))
    return sorted(found, key=lambda step: order.index(step.of))


def _furniture(settings: Mapping[str, Any], standard: PlateStandard) -> Iterator[Step]:
    plain = _plain(settings)
    for layout in standard.layouts:
        for name, share in layout.furniture:
            if share > 0:
                own = replace(standard, layouts=(_with_furniture(layout, {name}),))
                of = f"furniture of {layout.name}"
                yield Step(name, of, _percent(share), own, plain, plain, layout.name)


def _of_settings(settings: Mapping[str, Any], standard: PlateStandard) -> Iterator[Step]:
    plain = _plain(settings)
    for name, of in _SHARES.items():
        if settings[name] > 0:
            without, drawn = {**plain, name: 0.0}, {**plain, name: 1.0}
            layout = standard.layouts[0].name if of == "plate" else None
            yield Step(name, of, _percent(settings[name]), standard, without, drawn, layout)
    for name in _COUNTS:
        if settings[name] > 0:
            often, drawn = f"up to {settings[name]} an image", {**plain, name: settings[name]}
            yield Step(name, "scene", often, standard, plain, drawn)
    for name, share in settings["effects"].items():
        if share > 0:
            drawn = {**plain, "effects": {**plain["effects"], name: 1.0}}
            yield Step(name, "camera", _percent(share), standard, plain, drawn)


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def _plain(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of one plate an image, with no step but what is usual."""
    plain = dict(settings, num_plates=[0.0, 1.0], image_sizes=[settings["image_sizes"][0]])
    plain.update(dict.fromkeys((*_SHARES, *_COUNTS, "max_patches"), 0))
    plain.update({name: float(settings[name] >= 0.5) for name in _USUAL})
    plain.update(plate_width=_PLATE_WIDTH, clean=0.0)
    plain["effects"] = dict.fromkeys(settings["effects"], 0.0)
    return plain


def _bare(standard: PlateStandard) -> PlateStandard:
    """The standard without furniture."""
    return replace(standard, layouts=tuple(_with_furniture(one, ()) for one in standard.layouts))


def _with_furniture(layout: Layout, drawn: Container[str]) -> Layout:
    """The layout with some of its furniture always and the rest never.

    All keep their names: what else chance says of a plate depends on how many there are.
    """
    shares = tuple((name, float(name in drawn)) for name, _ in layout.furniture)
    return replace(layout, furniture=shares)


def _pair(step: Step, photos: Sequence[Picture], num_scenes: int) -> Pair:
    """The scene without and with a step, of some scenes the one that it changes most."""
    before = replace(step, standard=_bare(step.standard), settings=step.without)
    pairs = []
    for seed in range(num_scenes):
        photo = photos[seed % len(photos)]
        pairs.append((_drawn(before, photo, seed), _drawn(step, photo, seed)))
    return max(pairs, key=_change)


def _drawn(step: Step, photo: Picture, seed: int) -> Picture:
    """A scene; of one that the camera changes, what is near its plate; or a plate alone."""
    rng = np.random.default_rng(seed)
    if step.layout is not None:
        layout = step.standard.layout(step.layout)
        return paint_plate(step.standard, layout, _PLATE_PX, step.settings, rng).image
    # Distractors, too, would leave chance another scene: they are added to the one without.
    num_distractors = step.settings["max_distractors"]
    settings = {**step.settings, "max_distractors": 0}
    image, annotation = draw_scene(photo, photo, "scene.jpg", step.standard, settings, rng)
    boards = [shape.polygon for shape in annotation.shapes[:1]]
    for _ in range(num_distractors):
        draw_distractor(image, boards, settings["fonts"], rng)
    if step.of != "camera" or not boards:
        return image
    size = np.array(image.shape[1::-1])
    middle = boards[0].mean(axis=0)
    x, y = np.clip(middle - size / 4, 0, size - size // 2).astype(int)
    return image[y : y + size[1] // 2, x : x + size[0] // 2]


def _change(pair: Pair) -> float:
    """How different two pictures are; most of all where not even their sizes are the same."""
    without, drawn = pair
    if without.shape != drawn.shape:
        return float("inf")
    return float(np.abs(without.astype(np.int16) - drawn).mean())


@dataclass(frozen=True)
class _Row:
    """Pairs beside each other on the sheet.

    Attributes:
        title: What they and the next rows belong to; empty: as the row above.
        steps: From left to right.
        tiles: The two pictures of each, fitted.
    """

    title: str
    steps: Sequence[Step]
    tiles: Sequence[tuple[Image.Image, ...]]

    @property
    def top(self) -> int:
        """Pixels above its captions."""
        return _TITLE_PX if self.title else 0

    @property
    def height(self) -> int:
        """Pixels from the row above to the one below."""
        tallest = max(tile.height for pair in self.tiles for tile in pair)
        return self.top + _CAPTION_PX + tallest + 2 * _GAP


def _sheet(steps: Sequence[Step], pairs: Sequence[Pair]) -> Image.Image:
    """Pairs in rows, each with its caption; what they belong to stands above them."""
    tiles = [tuple(ImageOps.contain(Image.fromarray(p), _TILE) for p in pair) for pair in pairs]
    rows = []
    for of, group in groupby(range(len(steps)), key=lambda i: steps[i].of):
        for number, few in enumerate(_batches(group)):
            shown = [steps[i] for i in few], [tiles[i] for i in few]
            rows.append(_Row("" if number else of, *shown))
    pair_width = 2 * (_TILE[0] + _GAP) + _GAP
    size = _NUM_PAIRS * pair_width + _GAP, sum(row.height for row in rows) + _GAP
    sheet = Image.new("RGB", size, _PAPER)
    y = 0
    for row in rows:
        _put_row(sheet, row, y, pair_width)
        y += row.height
    return sheet


def _put_row(sheet: Image.Image, row: _Row, y: int, pair_width: int) -> None:
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(_TEXT_PX)
    large = ImageFont.load_default(_TEXT_PX + 6)
    draw.text((_GAP, y + 12), row.title, fill=_INK, font=large)
    top = y + row.top
    for number, (step, pair) in enumerate(zip(row.steps, row.tiles, strict=True)):
        x = _GAP + number * pair_width
        draw.text((x, top + 3), step.name, fill=_ACCENT, font=font)
        after = x + draw.textlength(step.name, font=font) + 10
        draw.text((after, top + 3), step.often, fill=_INK, font=font)
        for side, tile in enumerate(pair):
            sheet.paste(tile, (x + side * (_TILE[0] + _GAP), top + _CAPTION_PX))


def _batches(indices: Iterable[int]) -> Iterator[list[int]]:
    """So many at a time as stand in a row."""
    rest = list(indices)
    for first in range(0, len(rest), _NUM_PAIRS):
        yield rest[first : first + _NUM_PAIRS]
