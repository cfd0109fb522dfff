"""A model that somebody deploys without a run: into place on this machine, or onto a cluster."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cluster.inference_service import serving_of
from cluster.settings import Cluster
from components.deploy.gate import gate
from components.deploy.release import copied, put_in_place, roll_back
from components.deploy.service import checked_source, on_claim
from dataset_tools.catalog.rows import ModelRow
from sub_module.engine.infer import load_detector
from sub_module.errors import ConfigError
from sub_module.export.runtime import SETTINGS_FILE
from sub_module.files import tree_hash
from sub_module.progress import Progress, silent
from sub_module.settings import Settings

_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def deploy_here(
    model: str,
    test_set: Path | None,
    config: Mapping[str, Any],
    settings: Settings,
    progress: Progress = silent,
) -> tuple[Path, dict[str, float]]:
    """Put a model in place on this machine, if it passes the gate of a run.

    Args:
        model: A model's directory, a checkpoint, or a version in `models` of the home.
        test_set: A recorded set to measure with, COCO JSON; None: that of the latest run.
        config: A pipeline's; `deploy` counts.
        settings: Home and catalog.
        progress: Told of images.

    Returns:
        The model's directory, and its figures with those of the model that was in use.

    Raises:
        ConfigError: There is no such model, or no test set.
        ModelError: The model cannot be used, or its export reads otherwise.
        RunError: The gate refuses it.
    """
    models = settings.home / "models"
    test_set = test_set or settings.home / "runs" / "latest" / "record" / "test.json"
    if not test_set.is_file():
        raise ConfigError(f"{test_set} is not there; give a recorded set: --test-set FILE")
    with _exported(_found(model, models), test_set, config["deploy"], progress) as exported:
        scores = gate(exported, models / "current", test_set, config["deploy"], progress)
        is_there = exported.parent.resolve() == models.resolve()
        # A version's name is a run's and a hash.
        stem = exported.name[: -len("-00000000")] if is_there else Path(model).stem
        target = put_in_place(exported, models, stem)
    _note(settings, target)
    return target, scores


def roll_back_here(settings: Settings) -> Path:
    """Put the model that was in use before in place again; twice is back again.

    Raises:
        ModelError: There is none.
    """
    target = roll_back(settings.home / "models")
    _note(settings, target)
    return target


def source_for_cluster(
    model: str, cluster: Cluster, settings: Settings, progress: Progress = silent
) -> str:
    """Where the pods of a cluster find a model; one that is here is brought there.

    Args:
        model: A gs:// or pvc:// URL, a model's directory here, or a version on the volume.
        cluster: A config's.
        settings: Volume and store.
        progress: Told of bytes on their way to the store.

    Raises:
        ConfigError: It is nothing of that, or there is no way for it.
        ModelError: The model here cannot be used.
        StoreError: It cannot be put in the store.
    """
    if "://" in model:
        return checked_source(model)
    is_of_store = serving_of(cluster).storage == "store"
    if Path(model).exists():
        return _brought(Path(model).resolve(), is_of_store, cluster, settings, progress)
    if not _VERSION.fullmatch(model):
        raise ConfigError(f"{model}: neither a model's directory, nor a version, nor a URL")
    if is_of_store:
        raise ConfigError(f"{model}: with cluster.serving.storage=store, give its gs:// URL")
    volume = settings.volume
    if volume is not None and not (volume / "models" / model).is_dir():
        raise ConfigError(f"{model}: there is no such model in {volume / 'models'}")
    return on_claim(cluster, model)


def _brought(
    path: Path, is_of_store: bool, cluster: Cluster, settings: Settings, progress: Progress
) -> str:
    if not (path / SETTINGS_FILE).is_file():
        raise ConfigError(f"{path}: is no exported model; `deploy` here exports a checkpoint")
    # What cannot be loaded here cannot be loaded there.
    load_detector(path)
    if is_of_store:
        from dataset_tools.store import open_store

        name = f"models/{path.name}-{tree_hash(path)[:8]}"
        return checked_source(open_store(settings).put(path, name, progress))
    if settings.volume is None:
        raise ConfigError(
            f"{path}: no pod sees it; PLATEFLOW_VOLUME names the directory where the volume is "
            "mounted here, or serve from a gs:// store: --set cluster.serving.storage=store"
        )
    return on_claim(cluster, copied(path, settings.volume / "models", path.name).name)


def _found(model: str, models: Path) -> Path:
    for path in (Path(model), models / model):
        if path.exists():
            return path.resolve()
    raise ConfigError(f"{model}: there is no such file or directory, and none in {models}")


@contextmanager
def _exported(
    path: Path, test_set: Path, settings: Mapping[str, Any], progress: Progress
) -> Iterator[Path]:
    """A model's directory: that of a checkpoint is made for the while."""
    if path.is_dir():
        yield path
        return
    # They bring torch.
    from sub_module.export.agreement import check_same_readings
    from sub_module.export.onnx import export

    with tempfile.TemporaryDirectory() as folder:
        exported = Path(folder, "model")
        export(path, exported)
        check_same_readings(path, exported, test_set, settings["max_different"], progress)
        yield exported


def _note(settings: Settings, target: Path) -> None:
    """Tell the catalog, if it knows the model."""
    from dataset_tools.catalog import open_catalog

    catalog = open_catalog(settings)
    for model in catalog.models():
        if model.path.endswith(f"/onnx-{tree_hash(target)[:8]}"):
            catalog.note_deployed(
                ModelRow(model.path, model.run.name, model.training_tag, model.checkpoint_sha256)
            )
