"""`secrets`: what the environment connects to; no value of a secret is ever shown."""

from __future__ import annotations

import typer

from commands.terminal import bar, table
from sub_module.errors import ConfigError
from sub_module.settings import Settings

app = typer.Typer(help="What the environment connects Plateflow to.", no_args_is_help=True)


@app.callback()
def _secrets() -> None:
    # A group, although it has one command only.
    pass


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
