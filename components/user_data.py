"""The user's own data that a run's config names."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

from components.evaluate.checkpoints import KEY as CANDIDATES
from components.evaluate.checkpoints import further_checkpoints
from sub_module.errors import ConfigError, DataError
from sub_module.files import listing_hash

ANNOTATIONS = "dataset.annotations"
PHOTOS = "dataset.draw.photos"
WEIGHTS = ("train.weights", "train.backbone_weights")


def user_data(config: Mapping[str, Any], volume: Path) -> dict[str, Path]:
    """The named directories by config key, absolute; empty when everything is drawn from nothing.

    A relative path is looked up in the working directory, then on the volume. Photographs count
    only where there are no annotations: only then plates are drawn. Of a version nothing is here.

    Raises:
        ConfigError: A key holds no path.
        DataError: There is no such directory.
    """
    dataset = config.get("dataset", {})
    if dataset.get("version") is not None:
        return {}
    named = {ANNOTATIONS: dataset.get("annotations")}
    if named[ANNOTATIONS] is None:
        named = {PHOTOS: dataset.get("draw", {}).get("photos")}
    return {
        key: _existing(key, path, volume, Path.is_dir)
        for key, path in named.items()
        if path is not None
    }


def weight_files(config: Mapping[str, Any], volume: Path) -> dict[str, Path]:
    """The files of weights that training starts from, by config key; looked up as `user_data` is.

    Raises:
        ConfigError: A key holds no path.
        DataError: There is no such file.
    """
    settings = config.get("train", {})
    named = {key: settings.get(key.split(".")[1]) for key in WEIGHTS}
    return {key: _existing(key, path, volume, Path.is_file) for key, path in named.items() if path}


def with_weight_files(config: Mapping[str, Any], volume: Path) -> dict[str, Any]:
    """A copy of the config in which `weight_files` are absolute.

    Raises:
        ConfigError, DataError: As `weight_files` says.
    """
    resolved = deepcopy(dict(config))
    for key, path in weight_files(config, volume).items():
        resolved["train"][key.split(".")[1]] = str(path)
    return resolved


def listings(config: Mapping[str, Any], volume: Path) -> dict[str, str]:
    """`user_data`, `weight_files` and `evaluate.candidates`, as hashes that tell of any change.

    Raises:
        ConfigError, DataError: As `user_data`, `weight_files` and `further_checkpoints` say.
    """
    hashes = {key: listing_hash(path) for key, path in user_data(config, volume).items()}
    files = {key: [path] for key, path in weight_files(config, volume).items()}
    files[CANDIDATES] = further_checkpoints(config, volume)
    return hashes | {key: _files_hash(paths) for key, paths in files.items() if paths}


def _existing(key: str, path: Any, volume: Path, is_there: Callable[[Path], bool]) -> Path:
    kind = "file" if is_there is Path.is_file else "directory"
    if not isinstance(path, str):
        raise ConfigError(f"{key}: expected the path of a {kind}, got {json.dumps(path)}")
    for found in (Path(path).absolute(), volume.absolute() / path):
        if is_there(found):
            return found
    raise DataError(f"{key}: there is no {kind} {path}")


def _files_hash(paths: Sequence[Path]) -> str:
    stats = [[str(path), path.stat().st_size, path.stat().st_mtime_ns] for path in paths]
    return hashlib.sha256(json.dumps(stats).encode()).hexdigest()[:12]
