"""`add-precision`: a model in fewer bits, beside its float32."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from commands.terminal import bar, say
from sub_module.errors import ConfigError


def register(app: typer.Typer) -> None:
    """Add the command to the entry point."""
    app.command()(add_precision)


def add_precision(
    precision: Annotated[str, typer.Argument(help="int8 for CPUs, or float16 for GPUs.")],
    calibration: Annotated[
        Path, typer.Argument(help="An annotation set that shows the model what it will see.")
    ],
    labelled: Annotated[Path, typer.Argument(help="Another one, to measure EIR on.")],
    model: Annotated[
        Path, typer.Option("--model", help="An exported model's directory; it is written to.")
    ],
    max_eir_loss: Annotated[
        float, typer.Option(min=0, max=1, help="EIR that it may read worse; else it is not kept.")
    ] = 0.005,
) -> None:
    """Add a precision to an exported model; runs do so by their config's deploy.variants."""
    from components.evaluate.labelled import recorded
    from sub_module.export.runtime import OnnxDetector
    from sub_module.export.variants import add_variant

    if calibration.resolve() == labelled.resolve():
        raise ConfigError(
            f"{labelled}: CALIBRATION and LABELLED are the same; EIR is measured on other images"
        )
    standard = OnnxDetector(model).standard
    with (
        bar("reading") as progress,
        recorded(calibration, standard, progress) as calibration_set,
        recorded(labelled, standard, progress) as labelled_set,
    ):
        scores = add_variant(
            model, precision, calibration_set, labelled_set, max_eir_loss, progress
        )
    say(f"{model}: {precision}: EIR {scores.EIR:.4f}, float32 {scores.EIR_float32:.4f}")
