"""What commands print: results to standard output, everything else to standard error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from sub_module.progress import Progress


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


@contextmanager
def bar(label: str) -> Iterator[Progress]:
    """A progress bar on the terminal; nothing where there is none."""
    from rich.console import Console
    from rich.progress import Progress as Bar

    console = Console(stderr=True)
    with Bar(console=console, transient=True, disable=not console.is_terminal) as shown:
        task = shown.add_task(label, total=None)

        def progress(done: int, total: int, text: str = "") -> None:
            shown.update(task, completed=done, total=total, description=f"{label} {text}".rstrip())

        yield progress
