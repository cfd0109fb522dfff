"""Which code this is."""

from __future__ import annotations

import os
import subprocess
from functools import cache
from pathlib import Path

VARIABLE = "PLATEFLOW_COMMIT"
_ROOT = Path(__file__).resolve().parents[1]


@cache
def commit_of_code() -> str:
    """The commit of this code, such as `a1b2c3d`, or `a1b2c3d-dirty` where it was changed since.

    The environment's PLATEFLOW_COMMIT counts first: an image has no repository.

    Returns:
        Empty when nobody knows.
    """
    return os.environ.get(VARIABLE) or commit_of(_ROOT)


def commit_of(root: Path) -> str:
    """The commit of a work tree, `-dirty` with changes or new files; empty: it is none's top."""
    # What lies above is another's repository, such as the one that an environment is in.
    if not (root / ".git").exists():
        return ""
    try:
        commit = _git(root, "describe", "--always")
        return f"{commit}-dirty" if _git(root, "status", "--porcelain") else commit
    except (OSError, subprocess.CalledProcessError):
        return ""


def _git(root: Path, *arguments: str) -> str:
    # Without locks: a command of the user's may run at the same time.
    command = ["git", "--no-optional-locks", "-C", str(root), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
