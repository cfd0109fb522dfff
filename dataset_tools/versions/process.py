"""Child processes: git and DVC."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

# Of git's variables these say who the user is, how to reach a server or where settings are; the
# others would turn a command to a repository that it is not meant for.
_GIT_KEPT = (
    *("GIT_SSH", "GIT_SSL", "GIT_ASKPASS", "GIT_PROXY", "GIT_AUTHOR", "GIT_COMMITTER"),
    *("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM"),
)


def run_child(
    command: Sequence[str | Path],
    folder: Path,
    environment: Mapping[str, str],
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; its standard input stays open for as long as this process lives.

    Args:
        command: What to run.
        folder: Where.
        environment: Comes on top of this process's own, without git's.

    Raises:
        OSError: The command cannot be started.
    """
    everything = {
        **{
            name: value
            for name, value in os.environ.items()
            if not name.startswith("GIT_") or name.startswith(_GIT_KEPT)
        },
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
            stdin=reading,
        )
    finally:
        os.close(reading)
        os.close(writing)
