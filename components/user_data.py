"""The user's own data that a run's config names."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from components.evaluate.checkpoints import KEY as CANDIDATES
from components.evaluate.checkpoints import further_checkpoints
from sub_module.errors import ConfigError, DataError
from sub_module.files import listing_hash

ANNOTATIONS = "dataset.annotations"
PHOTOS = "dataset.draw.photos"


def user_data(config: Mapping[str, Any], volume: Path) -> dict[str, Path]:
    """The named directories by config key, absolute; empty when everything is drawn from nothing.

    A relative path is looked up in the working directory, then on the volume. Photographs count
    only where there are no annotations: only then plates are drawn.

    Raises:
        ConfigError: A key holds no path.
        DataError: There is no such directory.
    """
    dataset = config.get("dataset", {})
    named = {ANNOTATIONS: dataset.get("annotations")}
    if named[ANNOTATIONS] is None:
        named = {PHOTOS: dataset.get("draw", {}).get("photos")}
    return {key: _directory(key, path, volume) for key, path in named.items() if path is not None}


def listings(config: Mapping[str, Any], volume: Path) -> dict[str, str]:
    """`user_data` and `evaluate.candidates` as hashes that tell of any change in them.

    Raises:
        ConfigError, DataError: As `user_data` and `further_checkpoints` say.
    """
    hashes = {key: listing_hash(path) for key, path in user_data(config, volume).items()}
    checkpoints = [
        [str(path), path.stat().st_size, path.stat().st_mtime_ns]
        for path in further_checkpoints(config, volume)
    ]
    if checkpoints:
        content = json.dumps(checkpoints).encode()
        hashes[CANDIDATES] = hashlib.sha256(content).hexdigest()[:12]
    return hashes


def _directory(key: str, path: Any, volume: Path) -> Path:
    if not isinstance(path, str):
        raise ConfigError(f"{key}: expected the path of a directory, got {json.dumps(path)}")
    for directory in (Path(path).absolute(), volume.absolute() / path):
        if directory.is_dir():
            return directory
    raise DataError(f"{key}: there is no directory {path}")
