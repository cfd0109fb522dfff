"""The photographs that plates are drawn on."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import skimage.data

from dataset_tools.draw.brushes import Image, as_image
from sub_module.datasets.coco import IMAGE_SUFFIXES, load_image
from sub_module.errors import DataError

# So many of a process stay loaded: decoding a large one takes as long as drawing 30 images.
PHOTOS_KEPT = 16
# Pixels of a photograph for one pixel of the image, at most.
_MAX_ZOOM = 2.0
# Photographs of up to this many pixels are kept as they are (6 MB), whatever is cut from them.
_SMALL_PHOTO_PIXELS = 2_000_000

# Photographs and textures of scikit-image's wheel. The right half of its stereo pair is left out:
# the two halves show one scene and must not fall into two splits.
_DEFAULT_PHOTOS = (
    "astronaut.png",
    "brick.png",
    "camera.png",
    "cell.png",
    "chelsea.png",
    "coffee.png",
    "coins.png",
    "grass.png",
    "gravel.png",
    "hubble_deep_field.jpg",
    "ihc.png",
    "moon.png",
    "motorcycle_left.png",
    "page.png",
    "retina.jpg",
    "rocket.jpg",
    "text.png",
)


def find_photos(directory: Path | None) -> list[Path]:
    """The photographs of a directory and its subdirectories, or the default ones, in name order.

    Raises:
        DataError: The directory is missing or holds no photograph.
    """
    if directory is None:
        root = Path(skimage.data.__file__).parent
        return [root / name for name in _DEFAULT_PHOTOS]
    if not directory.is_dir():
        raise DataError(f"{directory}: no such directory of photographs")
    photos = sorted(p for p in directory.rglob("*") if p.suffix.lower() in IMAGE_SUFFIXES)
    if not photos:
        raise DataError(f"{directory}: no photograph in it ({', '.join(sorted(IMAGE_SUFFIXES))})")
    return photos


def split_photos(photos: Sequence[Path], shares: Mapping[str, float]) -> dict[str, list[Path]]:
    """Deal photographs out to splits, none to two of them.

    The order comes from a hash of the file names, so that it is the same on every machine and
    has nothing to do with the alphabet. Every split gets at least one photograph.

    Args:
        photos: At least as many as there are splits.
        shares: Split name to share of the photographs.

    Raises:
        DataError: There are fewer photographs than splits.
    """
    names = [name for name, share in shares.items() if share > 0]
    if len(photos) < len(names):
        raise DataError(
            f"{len(photos)} photographs for {len(names)} splits ({', '.join(names)}): "
            "each needs at least one of its own"
        )
    ordered = sorted(photos, key=lambda photo: hashlib.sha256(photo.name.encode()).hexdigest())
    total = sum(shares[name] for name in names)
    parts: dict[str, list[Path]] = {}
    for position, name in enumerate(reversed(names)):
        still_to_serve = len(names) - position - 1
        wanted = max(1, round(len(photos) * shares[name] / total))
        count = len(ordered) if still_to_serve == 0 else min(wanted, len(ordered) - still_to_serve)
        parts[name], ordered = ordered[:count], ordered[count:]
    return parts


def two_photos(
    paths: Sequence[Path], image_sizes: Sequence[Sequence[int]], rng: np.random.Generator
) -> tuple[Image, Image]:
    """Two photographs by chance, maybe the same: a background, and one to take pieces from.

    Args:
        paths: To choose from.
        image_sizes: (width, height) of the images that they are for, in pixels.
        rng: Where chance comes from.

    Raises:
        DataError: A file cannot be read as an image.
    """
    largest = max(width for width, _ in image_sizes), max(height for _, height in image_sizes)
    first, second = (load_photo(paths[int(at)], largest) for at in rng.integers(len(paths), size=2))
    return first, second


@lru_cache(maxsize=PHOTOS_KEPT)
def load_photo(path: Path, image_size: tuple[int, int]) -> Image:
    """Load a photograph in a size that images can be cut from.

    Args:
        path: The file.
        image_size: (width, height) of the largest image in pixels.

    Returns:
        (H, W, 3) RGB, enlarged where it would not hold the image. A large photograph is shrunk
        until it just holds as much as `crop_background` can take: 4032x3024 becomes 1280x960 for
        images of 640x480.

    Raises:
        DataError: The file cannot be read as an image.
    """
    photo = load_image(path)
    fit = max(image_size[0] / photo.shape[1], image_size[1] / photo.shape[0])
    if fit > 1:
        return _scale(photo, fit, image_size, cv2.INTER_CUBIC)
    if fit * _MAX_ZOOM < 1 and photo.shape[0] * photo.shape[1] > _SMALL_PHOTO_PIXELS:
        return _scale(photo, fit * _MAX_ZOOM, image_size, cv2.INTER_AREA)
    return photo


def _scale(photo: Image, scale: float, min_size: tuple[int, int], method: int) -> Image:
    width = max(min_size[0], round(photo.shape[1] * scale))
    height = max(min_size[1], round(photo.shape[0] * scale))
    return as_image(cv2.resize(photo, (width, height), interpolation=method))


def crop_background(photo: Image, size: tuple[int, int], rng: np.random.Generator) -> Image:
    """Cut a random piece of a photograph, mirror it or not, and change its light.

    Args:
        photo: (H, W, 3) RGB, at least `size` large.
        size: (width, height) of the result in pixels.
        rng: Where chance comes from.

    Returns:
        (height, width, 3) RGB, a copy.
    """
    width, height = size
    largest = min(photo.shape[1] / width, photo.shape[0] / height)
    zoom = rng.uniform(0.45, min(largest, _MAX_ZOOM)) if largest > 0.45 else largest
    crop_w, crop_h = int(width * zoom), int(height * zoom)
    x = int(rng.integers(0, photo.shape[1] - crop_w + 1))
    y = int(rng.integers(0, photo.shape[0] - crop_h + 1))
    piece = photo[y : y + crop_h, x : x + crop_w]
    method = cv2.INTER_AREA if zoom > 1 else cv2.INTER_LINEAR
    resized = cv2.resize(piece, size, interpolation=method)
    if rng.random() < 0.5:
        resized = cv2.flip(resized, 1)
    gain, offset = rng.uniform(0.6, 1.2), rng.uniform(-20, 25)
    tint = rng.uniform(0.85, 1.15, 3) if rng.random() < 0.5 else np.ones(3)
    levels = np.arange(256)[:, None] * (gain * tint) + offset
    table = np.clip(levels, 0, 255).astype(np.uint8).reshape(1, 256, 3)
    return as_image(cv2.LUT(resized, table))


def paste_patch(image: Image, photo: Image, rng: np.random.Generator) -> None:
    """Put a random piece of a photograph anywhere into the image, in place.

    Args:
        image: (H, W, 3) RGB, changed.
        photo: (h, w, 3) RGB, at least as large as the image.
        rng: Where chance comes from.
    """
    height, width = image.shape[:2]
    size = int(width * rng.uniform(0.06, 0.4)), int(height * rng.uniform(0.06, 0.4))
    piece = crop_background(photo, size, rng)
    x, y = int(rng.integers(0, width - size[0])), int(rng.integers(0, height - size[1]))
    image[y : y + size[1], x : x + size[0]] = piece
