"""What commands print: results to standard output, everything else to standard error."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from sub_module.progress import Progress

if TYPE_CHECKING:
    from sub_module.plates import PlateReading, PlateStandard


def say(text: str) -> None:
    """A line that is no result."""
    typer.echo(text, err=True)


def failed(text: str, code: int) -> int:
    """Say that something failed; gives the exit code back."""
    say(f"error: {text}")
    return code


def table(header: list[str], rows: list[list[str]]) -> None:
    """Columns in plain text, for eyes and for `cut`."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    for row in [header, *rows]:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        typer.echo("  ".join(cells).rstrip())


def show_readings(image: Path, readings: Sequence[PlateReading], standard: PlateStandard) -> None:
    """Each plate of an image as a small drawing, with its text, layout and score."""
    # OpenCV and Matplotlib take their time.
    from sub_module.plates.picture import terminal_plate, text_of

    typer.echo(f"{image}: {len(readings) or 'no'} plate{'s'[: len(readings) != 1]}")
    for found in readings:
        typer.echo(terminal_plate(found, standard))
        typer.echo(f"{text_of(found)}  {found.layout}  score {found.score:.2f}")


@contextmanager
def bar(label: str) -> Iterator[Progress]:
    """A progress bar on the terminal; nothing where there is none."""
    from rich.console import Console
    from rich.progress import Progress as Bar

    console = Console(stderr=True)
    with Bar(
        console=console,
        transient=True,
        disable=not console.is_terminal,
        # What goes to a file or a pipe is no business of the bar's.
        redirect_stdout=sys.stdout.isatty(),
    ) as shown:
        task = shown.add_task(label, total=None)

        def progress(done: int, total: int, text: str = "") -> None:
            shown.update(task, completed=done, total=total, description=f"{label} {text}".rstrip())

        yield progress
