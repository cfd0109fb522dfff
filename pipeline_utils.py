"""Plateflow's command line: `python pipeline_utils.py --help`, installed also as `plateflow`."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from commands import (
    catalog,
    demo,
    deploy,
    doctor,
    labelling,
    predict,
    runs,
    search,
    serve,
    tensorboard,
)
from commands import precision as precision_command
from commands import versions as version_commands
from commands.dataset import app as dataset_app
from commands.options import JsonOption, ModelOption, PrecisionOption, StandardOption
from commands.schedule import app as schedule_app
from commands.secrets import app as secrets_app
from commands.terminal import bar, failed, say, show_readings, table
from sub_module.errors import PlateflowError
from sub_module.files import is_disk_full, reason_of
from sub_module.settings import Settings

app = typer.Typer(
    help="From photographs to number plate readings.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for group in (version_commands, labelling, catalog):
    group.register(dataset_app)
for single in (runs, search, doctor, tensorboard, deploy, serve, predict, demo, precision_command):
    single.register(app)
app.add_typer(dataset_app, name="dataset")
app.add_typer(schedule_app, name="schedule")
app.add_typer(secrets_app, name="secrets")


@app.command()
def read(
    images: Annotated[list[Path], typer.Argument(help="Image files.")],
    model: ModelOption = None,
    standard: StandardOption = None,
    as_json: JsonOption = False,
    out: Annotated[
        Path, typer.Option("--out", help="Directory for the annotated pictures.")
    ] = Path("."),
) -> None:
    """Read the plates on images; each picture with its plates marked goes to <name>.read.jpg."""
    # onnxruntime takes a second to import.
    from sub_module.engine.read import picture_files, read_image
    from sub_module.engine.shipped import open_detector

    detector = open_detector(Settings().home, model, standard)
    rows = []
    for image, picture in zip(images, picture_files(images, out), strict=True):
        readings = read_image(detector, image, None if as_json else picture)
        rows.append({"file": str(image), "readings": [found.to_dict() for found in readings]})
        if not as_json:
            show_readings(image, readings, detector.standard)
            typer.echo(f"picture: {picture}")
    if as_json:
        typer.echo(json.dumps(rows, indent=2))


@app.command()
def evaluate(
    directory: Annotated[
        Path,
        typer.Argument(help="An annotation set, or photographs with a text file beside each."),
    ],
    model: ModelOption = None,
    standard: StandardOption = None,
    precision: PrecisionOption = "float32",
    as_json: JsonOption = False,
    report: Annotated[
        Path | None,
        typer.Option(
            "--report",
            metavar="DIR",
            file_okay=False,
            help="Write report.html, with the misses, and report.json.",
        ),
    ] = None,
) -> None:
    """How well a model reads a labelled directory: mAP, dv_mAP and EIR; of photographs recall,
    precision and exact reads, each with its 95 % interval."""
    from components.evaluate.labelled import evaluate_labelled
    from sub_module.engine.infer import load_detector
    from sub_module.engine.shipped import model_to_open

    path, plates = model_to_open(Settings().home, model, standard)
    detector = load_detector(path, precision=precision, standard=plates)
    with bar("evaluating") as progress:
        labelled = evaluate_labelled(detector, directory, progress)
    if as_json:
        typer.echo(json.dumps(labelled.figures, indent=2))
    else:
        header, *rows = labelled.table
        table(header, rows)
    if report is not None:
        from components.report.photographs import write_photograph_report

        about = {"of": directory, "model": path, "plates": detector.standard.name}
        page = write_photograph_report(report, labelled, {k: str(v) for k, v in about.items()})
        say(f"report: {page}")


def main() -> NoReturn:
    """Run the command line; a user's mistake is one line and exit code 2."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)
    try:
        app()
    except PlateflowError as error:
        sys.exit(failed(str(error), 2))
    except OSError as error:
        full = f"the disk is full: {error.filename or Settings().home}"
        sys.exit(failed(full if is_disk_full(error) else reason_of(error), 2))
    sys.exit(0)


def _stop(number: int, _frame: object) -> NoReturn:
    # As an exception it passes through the code that ends child processes.
    sys.exit(128 + number)


if __name__ == "__main__":
    main()
