"""Whether this machine will do for `--backend local`."""

from __future__ import annotations

import platform
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from cluster.checks import Check
from dataset_tools.connections import check_connections
from sub_module.machine import num_cores
from sub_module.settings import Settings

# A default run writes about half of it; data sets and searches more.
_LEAST_FREE_BYTES = 2 * 2**30


def check_machine(settings: Settings) -> Iterator[Check]:
    """Look at what a run on this machine needs; nothing is changed but for a probe in the store."""
    cores = num_cores()
    yield Check("Python", True, f"{platform.python_version()}, {cores} core{'s'[: cores != 1]}")
    yield _disk(settings.home)
    yield _git()
    for tried in check_connections(settings):
        remedy = "" if tried.works is not False else f"see {tried.set_by or 'PLATEFLOW_HOME'}"
        yield Check(tried.what, tried.works, f"{tried.where}: {tried.says}", remedy)


def _disk(home: Path) -> Check:
    present = next(path for path in (home.absolute(), *home.absolute().parents) if path.exists())
    free_bytes = shutil.disk_usage(present).free
    says = f"{free_bytes / 2**30:.1f} GiB free for {home}"
    if free_bytes < _LEAST_FREE_BYTES:
        remedy = "`delete` runs that nobody needs, or PLATEFLOW_HOME on another disk"
        return Check("disk", False, says, remedy)
    return Check("disk", True, says)


def _git() -> Check:
    try:
        done = subprocess.run(["git", "--version"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return Check("git", False, "does not run", "install it: versions of data sets need it")
    return Check("git", True, done.stdout.strip().removeprefix("git version "))
