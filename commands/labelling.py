"""`dataset preannotate`: a model proposes labels, a person corrects them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from commands.options import ModelOption, StandardOption
from commands.terminal import bar, say
from sub_module.errors import DataError
from sub_module.settings import Settings


def register(app: typer.Typer) -> None:
    """Add this file's commands to the group `dataset`."""
    app.command()(preannotate)


def preannotate(
    directory: Annotated[Path, typer.Argument(help="Images, some of them labelled or none.")],
    model: ModelOption = None,
    standard: StandardOption = None,
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite", help="Also make proposals anew that nobody reviewed or changed yet."
        ),
    ] = False,
) -> None:
    """Write labelme files with a model's readings, for a person to correct.

    Each carries the flag `reviewed`; tick it in labelme when the labels are right.
    """
    from dataset_tools.preannotate import preannotate as write_proposals
    from sub_module.engine.shipped import open_detector

    detector = open_detector(Settings().home, model, standard)
    with bar("reading") as progress:
        done = write_proposals(directory, detector, overwrite, progress)
    for problem in done.problems:
        typer.echo(f"{directory / problem.file}: {problem.reason}")
    kept = f"; {done.num_kept} left as they were" if done.num_kept else ""
    files = _counted(len(done.label_files), "label file")
    say(f"{directory}: {files}, {_counted(done.num_plates, 'plate')}{kept}")
    if done.label_files:
        say("open them in labelme, correct them, and tick the flag 'reviewed'")
    if done.problems:
        number = len(done.problems)
        images = "1 image has" if number == 1 else f"{number} images have"
        raise DataError(f"{directory}: {images} no label file")


def _counted(number: int, thing: str) -> str:
    return f"1 {thing}" if number == 1 else f"{number} {thing}s"
