"""Child processes: git and DVC."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

# Of git's variables these say how to reach a server or where the user's settings are; the others
# would turn a command to a repository that it is not meant for.
_GIT_KEPT = ("GIT_SSH", "GIT_ASKPASS", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM")


def run_child(
    command: Sequence[str | Path],
    folder: Path,
    environment: Mapping[str, str],
    given: str | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end.

    Args:
        command: What to run.
        folder: Where.
        environment: Comes on top of this process's own, without git's.
        given: Standard input; None: a pipe that stays open for as long as this process lives.

    Raises:
        OSError: The command cannot be started.
    """
    everything = {
        **{k: v for k, v in os.environ.items() if not k.startswith("GIT_") or _is_kept(k)},
        # Errors are read, and shown to the user in one language.
        "LC_ALL": "C.UTF-8",
        **environment,
    }
    reading, writing = os.pipe()
    try:
        return subprocess.run(
            command,
            cwd=folder,
            env=everything,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
            **({"stdin": reading} if given is None else {"input": given}),
        )
    finally:
        os.close(reading)
        os.close(writing)


def _is_kept(name: str) -> bool:
    return name.startswith(_GIT_KEPT)
