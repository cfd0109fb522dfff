"""A model that somebody deploys without a run: into place on this machine, or onto a cluster."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cluster.inference_service import serving_of
from cluster.settings import cluster_of
from components.deploy.gate import gate
from components.deploy.place import copied, put_in_place, roll_back
from components.deploy.service import checked_source, on_claim
from dataset_tools.catalog.rows import ModelRow
from sub_module.engine.infer import load_detector
from sub_module.errors import ConfigError
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
    say: Callable[[str], None] = print,
) -> tuple[Path, dict[str, float]]:
    """Put a model in place on this machine, if it passes the gate of a run.

    Args:
        model: A model's directory, a checkpoint, or a version in `models` of the home.
        test_set: What to measure with: an annotation set, or a recorded one, COCO JSON; None: that
            of the latest run.
        config: A pipeline's; `deploy` counts.
        settings: Home and catalog.
        progress: Told of images.
        say: Told why the model in use is not compared with, when it is not.

    Returns:
        The model's directory, and its figures with those of the model that was in use.

    Raises:
        ConfigError: There is no such model, or no test set.
        DataError: The test set cannot be used.
        ModelError: The model cannot be used, or its export reads otherwise.
        RunError: The gate refuses it.
    """
    models = settings.home / "models"
    path = _found(model, models)
    passed = _passed(path, models, test_set, config, settings, progress, say)
    with passed as (exported, scores):
        target = put_in_place(exported, models, _name_of(path, models))
    _note(settings, target)
    return target, scores


def in_use_here(settings: Settings) -> Path:
    """The model that is in use on this machine; ConfigError: there is none."""
    current = settings.home / "models" / "current"
    if not current.is_dir():
        raise ConfigError(f"MODEL: which one? None is in use in {current.parent}")
    return current.resolve()


def roll_back_here(settings: Settings) -> Path:
    """Put the model that was in use before in place again; twice is back again.

    Raises:
        ModelError: There is none.
    """
    target = roll_back(settings.home / "models")
    _note(settings, target)
    return target


def source_for_cluster(
    model: str,
    test_set: Path | None,
    config: Mapping[str, Any],
    settings: Settings,
    progress: Progress = silent,
    say: Callable[[str], None] = print,
) -> tuple[str, dict[str, float]]:
    """Where the pods of a cluster find a model; one that is here is checked, and brought there.

    Args:
        model: A gs:// or pvc:// URL, or a version on the volume, which are trusted: nothing is
            measured; or a model's directory or a checkpoint here.
        test_set: As `deploy_here`; for a model that is here only.
        config: A pipeline's; `deploy` and `cluster` count.
        settings: Volume and store.
        progress: Told of images, and of bytes on their way to the store.
        say: Told why the model in use is not compared with, when it is not.

    Returns:
        The URL, and the figures of a model that is here.

    Raises:
        ConfigError: It is nothing of that, or there is no way for it.
        DataError: The test set cannot be used.
        ModelError: The model here cannot be used.
        RunError: The gate refuses it.
        StoreError: It cannot be put in the store.
    """
    cluster, path = cluster_of(config), Path(model).resolve()
    is_of_store = serving_of(cluster).storage == "store"
    if "://" not in model and path.exists():
        if settings.volume is None and not is_of_store:
            raise ConfigError(
                f"{path}: no pod sees it; PLATEFLOW_VOLUME names the directory where the volume is "
                "mounted here, or serve from a gs:// store: --set cluster.serving.storage=store"
            )
        models = settings.volume and settings.volume / "models"
        passed = _passed(path, models, test_set, config, settings, progress, say)
        with passed as (exported, scores):
            if models is None or is_of_store:
                return _in_store(exported, _name_of(path, models), settings, progress), scores
            return on_claim(cluster, copied(exported, models, _name_of(path, models)).name), scores
    if test_set is not None:
        raise ConfigError(f"--test-set: {model} is not here, so it is not checked here")
    trusted = f"{model}: taken as it is, not compared with the model in use"
    if "://" in model:
        source = checked_source(model)
        say(trusted)
        return source, {}
    if not _VERSION.fullmatch(model):
        raise ConfigError(f"{model}: neither a model's directory, nor a version, nor a URL")
    if is_of_store:
        raise ConfigError(f"{model}: with cluster.serving.storage=store, give its gs:// URL")
    volume = settings.volume
    if volume is not None and not (volume / "models" / model).is_dir():
        raise ConfigError(f"{model}: there is no such model in {volume / 'models'}")
    say(trusted)
    return on_claim(cluster, model), {}


def _in_store(exported: Path, name: str, settings: Settings, progress: Progress) -> str:
    from dataset_tools.store import open_store

    version = f"models/{name}-{tree_hash(exported)[:8]}"
    return checked_source(open_store(settings).put(exported, version, progress))


def _found(model: str, models: Path) -> Path:
    for path in (Path(model), models / model):
        if path.exists():
            return path.resolve()
    raise ConfigError(f"{model}: there is no such file or directory, and none in {models}")


def _name_of(path: Path, models: Path | None) -> str:
    """What a model's copies are called, before the hash of the content; those in `models` are."""
    if models is not None and path.parent == models.resolve():
        return path.name[: -len("-00000000")]
    return path.name if path.is_dir() else path.stem


@contextmanager
def _passed(
    path: Path,
    models: Path | None,
    test_set: Path | None,
    config: Mapping[str, Any],
    settings: Settings,
    progress: Progress,
    say: Callable[[str], None],
) -> Iterator[tuple[Path, dict[str, float]]]:
    """A model's directory that has passed the gate of a run, and its figures.

    That of a checkpoint is made for the while.

    Args:
        path: A model's directory or a checkpoint.
        models: Where the model in use is, to compare with; None: it cannot be seen from here.
        test_set: See `deploy_here`.
        config: A pipeline's; `deploy` counts.
        settings: Home.
        progress: Told of images.
        say: See `deploy_here`.
    """
    test_set = _test_set(test_set, settings.home)
    limits, in_use = config["deploy"], models and models / "current"
    if path.is_dir():
        with _as_coco(test_set, path, progress) as coco:
            scores = gate(path, in_use, coco, limits, progress, say)
        yield path, scores
        return
    # They bring torch.
    from sub_module.export.agreement import check_same_readings
    from sub_module.export.onnx import export

    with tempfile.TemporaryDirectory() as folder:
        exported = Path(folder, "model")
        export(path, exported)
        with _as_coco(test_set, exported, progress) as coco:
            check_same_readings(path, exported, coco, limits["max_different"], progress)
            scores = gate(exported, in_use, coco, limits, progress, say)
        yield exported, scores


def _test_set(given: Path | None, home: Path) -> Path:
    if given is not None:
        if not given.exists():
            raise ConfigError(f"--test-set: {given} is not there")
        return given
    latest = home / "runs" / "latest" / "record" / "test.json"
    if not latest.is_file():
        raise ConfigError(
            f"there is no run in {home} whose test images could be taken; say what to measure the "
            "model on: --test-set DIR (an annotation set) or FILE (COCO JSON)"
        )
    return latest


@contextmanager
def _as_coco(test_set: Path, model: Path, progress: Progress) -> Iterator[Path]:
    """A test set as a COCO file, with the plates that a model knows."""
    if not test_set.is_dir():
        yield test_set
        return
    from components.evaluate.labelled import recorded

    with recorded(test_set, load_detector(model).standard, progress) as file:
        yield file


def _note(settings: Settings, target: Path) -> None:
    """Tell the catalog, if it knows the model."""
    from dataset_tools.catalog import open_catalog

    catalog = open_catalog(settings)
    for model in catalog.models():
        if model.path.endswith(f"/onnx-{tree_hash(target)[:8]}"):
            catalog.note_deployed(
                ModelRow(model.path, model.run.name, model.training_tag, model.checkpoint_sha256)
            )
