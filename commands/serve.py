"""`serve`: the model server on this machine."""

from __future__ import annotations

from typing import Annotated

import typer

from commands.options import ModelOption


def register(app: typer.Typer) -> None:
    """Add the command to the entry point."""
    app.command()(serve)


def serve(
    model: ModelOption = None,
    overrides: Annotated[
        list[str],
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Change a key of configs/serving/predictor.py; repeatable.",
        ),
    ] = [],  # noqa: B006 - Typer reads defaults, nobody changes them
) -> None:
    """Answer requests over HTTP and gRPC (docs/serving.md)."""
    from serving.predictor.__main__ import run

    run(model, overrides)
