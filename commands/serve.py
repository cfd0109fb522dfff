"""`serve`: the model server on this machine."""

from __future__ import annotations

from typing import Annotated

import typer

from commands.extras import needing
from commands.options import ModelOption, StandardOption


def register(app: typer.Typer) -> None:
    """Add the command to the entry point."""
    app.command()(serve)


def serve(
    model: ModelOption = None,
    standard: StandardOption = None,
    overrides: Annotated[
        list[str],
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Change a key of configs/serving/predictor.py, such as host=0.0.0.0, "
            "http_port=9000 or grpc_port=null; repeatable.",
        ),
    ] = [],  # noqa: B006 - Typer reads defaults, nobody changes them
) -> None:
    """Answer requests over HTTP and gRPC (docs/serving.md).

    With PLATEFLOW_SERVE_TOKEN in the environment, only those that bring this token.
    """
    with needing("serving"):
        from serving.predictor.__main__ import run

        run(model, overrides, standard)
