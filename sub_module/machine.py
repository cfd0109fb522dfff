"""The machine that Plateflow runs on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath


def num_cores(root: Path = Path("/")) -> int:
    """How many cores this process may use, at least 1.

    Where the system can bind processes to cores (Linux: `taskset`, containers with a set of cores),
    those count; elsewhere all of the machine's. A container's share of processor time counts too,
    in whole cores: with a share of 1.5, two busy threads would both be stopped for a part of every
    period.

    Args:
        root: Where `proc` and `sys` are looked for.
    """
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    return max(1, int(min([cores, *_cgroup_shares(root)])))


def _cgroup_shares(root: Path) -> Iterator[float]:
    """Cores' worth of time that each control group round this process allows, where one is set."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            mount, read = root / "sys/fs/cgroup", _share_v2
        elif "cpu" in controllers.split(","):
            mount, read = root / "sys/fs/cgroup" / controllers, _share_v1
        else:
            continue
        # A container may see the machine's path for itself, and its own group as the topmost one.
        inner = PurePosixPath(path.lstrip("/"))
        for group in (inner, *inner.parents):
            try:
                share = read(mount / group)
            except (OSError, ValueError):
                continue
            if share > 0:
                yield share


def _share_v2(group: Path) -> float:
    quota, period = (group / "cpu.max").read_text().split()
    return 0.0 if quota == "max" else int(quota) / int(period)


def _share_v1(group: Path) -> float:
    quota = int((group / "cpu.cfs_quota_us").read_text())
    return quota / int((group / "cpu.cfs_period_us").read_text())
