"""Pipelines made ready for upload, and the rules of their versions."""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cluster.settings import Cluster, cluster_of
from components.commit import commit_of_code
from pipelines.code import Code
from sub_module.engine.config import load_config
from sub_module.errors import ConfigError, RunError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True)
class Package:
    """One version of a pipeline, as it is uploaded.

    Attributes:
        pipeline: Name in the registry.
        version: Name of the version.
        yaml: The compiled pipeline.
        config: The resolved config that its runs start from, without its `cluster`.
        cluster: How it runs on a cluster; None: it is for this machine.
        commit: Of the code that compiled it, and that it brings along if it does.
    """

    pipeline: str
    version: str
    yaml: str
    config: Mapping[str, Any]
    cluster: Cluster | None = None
    commit: str = ""

    @property
    def content(self) -> str:
        """A hash that two versions share exactly when they would run the same."""
        return content_hash(self.yaml, self.config)


def content_hash(yaml: str, config: Mapping[str, Any]) -> str:
    """A short hash of a compiled pipeline and its config."""
    text = yaml + json.dumps(config, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def make_package(
    config_name: str,
    pipeline: str | None,
    version: str | None,
    cluster_overrides: Mapping[str, Any] | None = None,
    code: Code | None = None,
    for_cluster: bool = False,
) -> Package:
    """Compile the main job with a config.

    Args:
        config_name: Name or path of a pipeline config.
        pipeline: Name in the registry; None: the config's own.
        version: Name of the version; None: a hash of its content.
        cluster_overrides: Changes of the config's `cluster`, as `split_overrides` gives them.
        code: What the steps run instead of their image's; None: what is in the image.
        for_cluster: Whether the steps have the pods of the config's `cluster`; otherwise that does
            not count.

    Raises:
        ConfigError: The config cannot be used, or there are `cluster_overrides` without a cluster.
        RunError: A name cannot be one.
    """
    from pipelines.placement import Placing
    from pipelines.plate_training import plate_training

    if cluster_overrides and not for_cluster:
        raise ConfigError(f"{next(iter(cluster_overrides))}: counts with --backend kubeflow only")
    whole = load_config(config_name, cluster_overrides)
    config = {key: value for key, value in whole.items() if key != "cluster"}
    name = checked_name("pipeline", pipeline or str(config["name"]))
    cluster = cluster_of(whole) if for_cluster else None
    # On a cluster, steps have no registry to ask which pipeline they are of.
    placing = Placing(cluster, {**config, "name": name}, code) if cluster else None
    yaml = compiled(plate_training(placing))
    return Package(
        pipeline=name,
        version=checked_name("version", content_hash(yaml, config) if version is None else version),
        yaml=yaml,
        config=config,
        cluster=cluster,
        commit=code.commit if code else commit_of_code(),
    )


def split_overrides(changes: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Those of a run, and those of `cluster`, which belong to an upload."""
    of_cluster = {
        key: value
        for key, value in changes.items()
        if key == "cluster" or key.startswith("cluster.")
    }
    return {key: value for key, value in changes.items() if key not in of_cluster}, of_cluster


def cluster_settings(config_name: str, overrides: Mapping[str, Any] | None = None) -> Cluster:
    """The `cluster` of a pipeline config, changed.

    Args:
        config_name: Name or path of a pipeline config.
        overrides: As `split_overrides` gives them.

    Raises:
        ConfigError: The config has none, or cannot be used.
    """
    return cluster_of(load_config(config_name, overrides))


def compiled(pipeline: Callable[..., Any]) -> str:
    """The YAML of a `@dsl.pipeline` function."""
    from kfp import compiler

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "pipeline.yaml")
        compiler.Compiler().compile(pipeline, str(path))
        return path.read_text(encoding="utf-8")


def checked_name(kind: str, name: str) -> str:
    """The name, if it can be a file's and a pipeline's.

    Raises:
        RunError: It cannot.
    """
    if not _NAME.fullmatch(name):
        raise RunError(
            f"{kind} {name!r}: use letters, digits, '.', '_' and '-', the first a letter or digit, "
            "100 at most"
        )
    return name


def needs_upload(package: Package, is_uploaded: bool, run_uploaded: bool) -> bool:
    """The rules of a run: a new version is added, an uploaded one is run as it is, or refused.

    Args:
        package: What a run is asked for.
        is_uploaded: Whether there is a version of that name, of whatever content.
        run_uploaded: Whether to run an uploaded version again.

    Raises:
        RunError: The version is there and `run_uploaded` is false.
    """
    if not is_uploaded:
        return True
    if not run_uploaded:
        raise RunError(
            f"version {package.version} of {package.pipeline} is uploaded already; give another "
            "--version, or --run-uploaded to run it as it was uploaded"
        )
    return False
