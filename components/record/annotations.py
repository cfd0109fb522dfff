"""The annotation set of a run: a version, the user's own directory, or one drawn for it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock

from components.user_data import ANNOTATIONS, PHOTOS, user_data
from dataset_tools import draw as drawing_package
from dataset_tools.draw import draw_dataset
from dataset_tools.versions import DataSets, Version
from sub_module.errors import DataError
from sub_module.files import listing_hash, tree_hash
from sub_module.plates import PlateStandard
from sub_module.progress import Progress, silent
from sub_module.settings import Settings


def annotation_set(config: Mapping[str, Any], volume: Path, progress: Progress = silent) -> Path:
    """The directory of annotations that a config names; drawn first when it names none.

    Runs with equal drawing settings share one drawn set under `datasets/` of the volume, and runs
    over one version what was fetched of it.

    Args:
        config: `plates` and `dataset` are used.
        volume: What all steps share.
        progress: Told of images drawn or fetched.

    Raises:
        DataError: There is no such version or directory, or the set cannot be drawn.
        StoreError: The version cannot be fetched.
    """
    data_sets = DataSets(Settings(home=volume))
    version = named_version(config, data_sets)
    if version is not None:
        return _pulled(version, data_sets, volume, progress)
    named = user_data(config, volume)
    if ANNOTATIONS in named:
        return named[ANNOTATIONS]
    return _drawn(config, volume, named.get(PHOTOS), progress)


def named_version(config: Mapping[str, Any], data_sets: DataSets) -> Version | None:
    """The version that `dataset.version` names; None when it names none.

    Raises:
        DataError: There is no such version of an annotation set.
    """
    # A config that was uploaded before the key came has none.
    name = config["dataset"].get("version")
    if name is None:
        return None
    return data_sets.find(name if name.startswith("ann-") else f"ann-{name}")


@contextmanager
def unchanged(annotations: Path) -> Iterator[None]:
    """What is read inside comes of one state of a directory, on which a person may be at work.

    Raises:
        DataError: A file changed meanwhile.
    """
    before = listing_hash(annotations)
    yield
    if listing_hash(annotations) != before:
        raise DataError(f"{annotations}: changed while it was read; start the run again")


def _pulled(version: Version, data_sets: DataSets, volume: Path, progress: Progress) -> Path:
    # Of another data set repository a version of this name may hold other files.
    out = volume / "datasets" / f"{version.tag}-{version.content_md5[:8]}"

    def pull() -> None:
        data_sets.pull(version.tag, out, editable=False, progress=progress)

    return _made_once(out, pull)


def _drawn(
    config: Mapping[str, Any], volume: Path, photos: Path | None, progress: Progress
) -> Path:
    standard = PlateStandard.from_config(config["plates"])
    draw, shares = config["dataset"]["draw"], config["dataset"]["split"]
    out = volume / "datasets" / f"drawn-{_digest(standard, config['dataset'], photos)}"

    def drawing(done: int, total: int, text: str) -> None:
        progress(done, total, f"drawing {text}")

    def draw_set() -> None:
        number, seed = draw["num_images"], draw["seed"]
        draw_dataset(out, number, seed, standard, draw, shares, photos, progress=drawing)

    return _made_once(out, draw_set)


def _made_once(out: Path, make: Callable[[], None]) -> Path:
    out.parent.mkdir(parents=True, exist_ok=True)
    # On a cluster two runs may ask for the same set at once.
    with FileLock(out.with_name(f".{out.name}.lock")):
        if not out.exists():
            make()
    return out


def _digest(standard: PlateStandard, dataset: Mapping[str, Any], photos: Path | None) -> str:
    made_from = [
        # All of it: furniture and grammars are no part of its fingerprint.
        standard.to_config(),
        dataset["draw"],
        dataset["split"],
        photos and listing_hash(photos),
        # Edited drawing draws other plates.
        tree_hash(Path(drawing_package.__path__[0]), "*.py"),
    ]
    return hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()[:12]
