"""`demo`: a page to try the model server with."""

from __future__ import annotations

from typing import Annotated

import typer

from commands.extras import needing
from commands.options import ConfigOption, SetOption, StandardOption
from commands.terminal import say
from sub_module.engine.config import parse_overrides


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(demo)


def demo(
    url: Annotated[
        str | None, typer.Option("--url", help="The model server; default: where `serve` listens.")
    ] = None,
    standard: StandardOption = None,
    config: ConfigOption = "plate_training",
    overrides: SetOption = [],  # noqa: B006 - Typer reads defaults, nobody changes them
) -> None:
    """Serve a page: drop an image or a short video on it, see the plates on it.

    --set changes keys of configs/serving/demo.py; --standard names the plates that are chosen when
    the page opens, --config those to be drawn where the server does not say what it reads.
    """
    # They take their time to import.
    from serving.demo.server import serve_page
    from serving.demo.settings import asked_and_drawn, demo_settings

    settings = demo_settings(parse_overrides(overrides))
    asked, plates = asked_and_drawn(url, standard, config)
    with needing("demo"):
        serve_page(settings, asked, plates, say)
