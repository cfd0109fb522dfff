"""Sets of traps: drawn, loaded, and counted where a reader fell for one."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from dataset_tools.draw.brushes import Image, as_image
from dataset_tools.draw.dataset import check_free
from dataset_tools.draw.scenes.photos import find_photos, two_photos
from dataset_tools.draw.settings import check_settings
from dataset_tools.draw.traps.kinds import KINDS, TrapScene
from sub_module.errors import ConfigError, DataError
from sub_module.files import appearing
from sub_module.metrics.photographs import with_zeros
from sub_module.plates import PlateStandard
from sub_module.progress import Progress, silent

TRAPS_FILE = "traps.json"


@dataclass(frozen=True)
class Trap:
    """One image of a set of traps.

    Attributes:
        file: Its name in the set.
        kind: One of `KINDS`.
        texts: Of plates that stand there and may be read, if rightly; any other reading is false.
    """

    file: str
    kind: str
    texts: tuple[str, ...]


def draw_traps(
    out: Path,
    num_images: int,
    seed: int,
    standard: PlateStandard,
    settings: Mapping[str, Any],
    photos: Path | None = None,
    progress: Progress = silent,
) -> list[Trap]:
    """Draw a set of traps: `out/<kind>_NNNN.jpg`, and `out/traps.json` with their kinds and texts.

    The kinds (`KINDS`) have equal shares. The same seed gives the same bytes. `out` appears only
    when everything in it is written.

    Args:
        out: Must not exist, or be an empty directory.
        num_images: Of all kinds together.
        seed: Of every choice made.
        standard: What the plates that nobody could read would be.
        settings: `dataset.draw` of a config.
        photos: A directory of background photographs; None: scikit-image's.
        progress: Told of images drawn.

    Raises:
        DataError: `out` is taken, cannot be written, or a photograph cannot be used.
        ConfigError: A setting cannot be used.
    """
    if num_images < 1:
        raise ConfigError(f"--num: {num_images} is below 1")
    if seed < 0:
        raise ConfigError(f"--seed: {seed} is below 0")
    check_free(out)
    check_settings(settings, standard)
    files, sizes = find_photos(photos), settings["image_sizes"]
    kinds, traps = list(KINDS), []
    try:
        with appearing(out) as partial:
            for index in range(num_images):
                rng = np.random.default_rng([seed, index])
                kind = kinds[index % len(kinds)]
                scene = TrapScene(*two_photos(files, sizes, rng), standard, settings)
                image, texts = KINDS[kind](scene, rng)
                name = f"{kind}_{index // len(kinds):04d}.jpg"
                (partial / name).write_bytes(_photographed(image, rng))
                traps.append(Trap(name, kind, tuple(texts)))
                progress(index + 1, num_images, "")
            listed = json.dumps([asdict(trap) for trap in traps], indent=1)
            (partial / TRAPS_FILE).write_text(listed)
    except OSError as error:
        raise DataError(f"{out}: cannot write the traps: {error.strerror or error}") from error
    return traps


def load_traps(directory: Path) -> list[Trap]:
    """The traps of a set, as its `traps.json` lists them.

    Raises:
        DataError: The file is missing, or is none that `draw_traps` wrote.
    """
    path = directory / TRAPS_FILE
    try:
        listed = json.loads(path.read_bytes())
        return [Trap(str(t["file"]), str(t["kind"]), tuple(t["texts"])) for t in listed]
    except OSError as error:
        raise DataError(
            f"{path}: {error.strerror}; draw a set with `dataset draw-traps`"
        ) from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError(f"{path}: no list of traps") from error


def false_readings(trap: Trap, texts: Sequence[str]) -> list[str]:
    """Those of an image's readings that are false: each text of the trap excuses one reading.

    O and 0 are one character here: many letterings draw them alike, and the texts are random.
    """
    excused = Counter(with_zeros(text) for text in trap.texts)
    false = []
    for text in texts:
        folded = with_zeros(text)
        excused[folded] -= 1
        if excused[folded] < 0:
            false.append(text)
    return sorted(false)


def _photographed(image: Image, rng: np.random.Generator) -> bytes:
    """The image as JPEG, a little out of focus half of the time."""
    if rng.random() < 0.5:
        sigma = float(rng.uniform(0.3, 0.9))
        image = as_image(cv2.GaussianBlur(image, (0, 0), sigma))
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(70, 96))]
    return cv2.imencode(".jpg", image[..., ::-1], quality)[1].tobytes()
