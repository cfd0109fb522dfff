"""`secrets`: what runs connect to, here and on a cluster; no value of a secret is ever shown."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from commands.options import ConfigOption
from commands.terminal import bar, say, table
from sub_module.errors import ConfigError
from sub_module.settings import Settings

app = typer.Typer(help="What Plateflow connects to, and with what.", no_args_is_help=True)


@app.command()
def check() -> None:
    """Say which connections are set, without showing a secret, and whether each works."""
    # It brings the database's and the store's libraries.
    from dataset_tools.connections import check_connections

    found = []
    with bar("trying") as progress:
        for connection in check_connections(Settings()):
            found.append(connection)
            progress(len(found), 4, connection.what)
    words = {True: "yes", False: "NO", None: "-"}
    rows = [
        [tried.what, tried.set_by or "not set", tried.where, words[tried.works], tried.says]
        for tried in found
    ]
    table(["", "set", "which", "works", ""], rows)
    broken = [tried.what for tried in found if tried.works is False]
    if broken:
        raise ConfigError(f"{', '.join(broken)}: does not work")


@app.command()
def apply(
    env_file: Annotated[
        Path,
        typer.Option(
            "--from-env-file",
            metavar="FILE",
            help="Lines of NAME=value; quotes around values that have spaces or several lines.",
        ),
    ],
    config: ConfigOption = "plate_training",
) -> None:
    """Make or update the Kubernetes secret that the steps of runs get as environment."""
    from cluster.api import connect
    from cluster.secret import apply_secret, read_env_file
    from pipelines.registry import cluster_settings

    values = read_env_file(env_file)
    name = cluster_settings(config).secret
    if name is None:
        raise ConfigError(f"config {config} names no secret (cluster.secret)")
    api = connect(Settings())
    applied = apply_secret(api, name, values)
    _list("set", applied.written)
    _list("taken away, the file does not have it", applied.removed)
    _list("left alone, nothing of Plateflow's", applied.kept)
    is_changed = applied.written or applied.removed
    state = "created" if applied.is_new else "updated" if is_changed else "unchanged"
    typer.echo(f"secret {name} in namespace {api.namespace}: {state}")


def _list(what: str, keys: Iterable[str]) -> None:
    for key in keys:
        say(f"{key}: {what}")
