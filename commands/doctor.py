"""`doctor`: whether a cluster will do, and what to do where it will not."""

from __future__ import annotations

import typer


def register(app: typer.Typer) -> None:
    """Add the command to the entry point."""
