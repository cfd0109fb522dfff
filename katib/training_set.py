"""The training set that the trials of a search share."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from filelock import FileLock

import dataset_tools.record as recording_package
from components.record.annotations import annotation_set
from dataset_tools.record import record
from sub_module.files import listing_hash, tree_hash
from sub_module.plates import PlateStandard
from sub_module.progress import Progress


def training_set(config: Mapping[str, Any], volume: Path, progress: Progress) -> Path:
    """The recorded set of a config's `dataset`, made by whichever trial comes first.

    It lies under `datasets/` of the volume, named by a hash of what it is made from; a trial that
    comes while another records it waits.

    Args:
        config: `plates` and `dataset` are used.
        volume: What all trials share.
        progress: Told of drawing and recording.

    Raises:
        DataError: The annotations cannot be used.
    """
    standard = PlateStandard.from_config(config["plates"])
    annotations = annotation_set(config, volume, progress)
    made_from = [
        standard.fingerprint,
        str(annotations),
        listing_hash(annotations),
        config["dataset"]["split"],
        tree_hash(Path(recording_package.__path__[0]), "*.py"),
    ]
    digest = hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()[:12]
    out = volume / "datasets" / f"recorded-{digest}"
    out.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(out.with_name(f".{out.name}.lock")):
        if not out.exists():
            record(annotations, out, standard, config["dataset"], progress=progress)
    return out
