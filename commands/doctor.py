"""`doctor`: whether a cluster, or this machine, will do, and what to do where it will not."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import typer

from commands.cluster import cluster_only
from commands.options import BackendOption, ConfigOption, SetOption
from commands.terminal import bar, table
from pipelines.backends import BackendName
from sub_module.engine.config import load_config, parse_overrides
from sub_module.errors import ConfigError
from sub_module.settings import Settings

if TYPE_CHECKING:
    from cluster.checks import Check


def register(app: typer.Typer) -> None:
    """Add the command to the entry point."""
    app.command()(doctor)


def doctor(
    backend: BackendOption = BackendName.LOCAL,
    config: ConfigOption = "plate_training",
    overrides: SetOption = [],  # noqa: B006 - Typer reads defaults, nobody changes them
) -> None:
    """Check what runs need, and say what to do about each thing that is wrong."""
    settings = Settings()
    changes = parse_overrides(overrides)
    if backend is BackendName.LOCAL and changes:
        raise cluster_only(next(iter(changes)))
    with bar("looking"):
        found = (
            _of_machine(settings)
            if backend is BackendName.LOCAL
            else _of_cluster(settings, config, changes)
        )
    words = {True: "yes", False: "NO", None: "-"}
    table(["", "works", ""], [[check.what, words[check.works], check.says] for check in found])
    broken = [check for check in found if check.works is False]
    for check in broken:
        typer.echo(f"{check.what}: {check.remedy}")
    if broken:
        raise ConfigError(f"{', '.join(check.what for check in broken)}: does not work")


def _of_machine(settings: Settings) -> list[Check]:
    from cluster.machine import check_machine

    return list(check_machine(settings))


def _of_cluster(settings: Settings, config: str, changes: dict[str, Any]) -> list[Check]:
    # Before there are threads: two that import the same library meet it half made.
    import kfp  # noqa: F401
    import kubernetes  # noqa: F401

    from cluster.doctor import check_cluster
    from pipelines.backends.kubeflow import probe
    from pipelines.registry import cluster_settings, split_overrides

    of_run, of_cluster = split_overrides(changes)
    if of_run:
        raise ConfigError(f"{next(iter(of_run))}: doctor takes only keys of `cluster`")
    cluster = cluster_settings(config, of_cluster)
    is_search = "search" in load_config(config, {})
    return check_cluster(settings, cluster, is_search, partial(probe, settings))
