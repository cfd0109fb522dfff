"""`demo`: a page to try the model server with."""

from __future__ import annotations

from typing import Annotated

import typer

from commands.extras import needing
from commands.options import ConfigOption, SetOption
from commands.terminal import say
from sub_module.engine.config import load_config, parse_overrides
from sub_module.plates import PlateStandard


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(demo)


def demo(
    url: Annotated[
        str | None, typer.Option("--url", help="The model server; default: where `serve` listens.")
    ] = None,
    config: ConfigOption = "plate_training",
    overrides: SetOption = [],  # noqa: B006 - Typer reads defaults, nobody changes them
) -> None:
    """Serve a page: drop an image or a short video on it, see the plates on it.

    --set changes keys of configs/serving/demo.py; --config names the plates to be drawn.
    """
    # They take their time to import.
    from serving.client import client_settings
    from serving.demo.server import serve_page
    from serving.demo.settings import demo_settings

    settings = demo_settings(parse_overrides(overrides))
    asked = client_settings({} if url is None else {"url": url})
    standard = PlateStandard.from_config(load_config(config)["plates"])
    with needing("demo"):
        serve_page(settings, asked, standard, say)
