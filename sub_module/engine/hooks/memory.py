"""How much of the memory that training may use is used."""

from __future__ import annotations

from pathlib import Path

import psutil
import torch
from mmengine.dist import all_reduce

_CGROUPS = Path("/sys/fs/cgroup")
# Of version 2 and of version 1: limit, usage, and what of the usage the kernel drops when needed.
_CGROUP_FILES = (
    (".", "memory.max", "memory.current", ("inactive_file", "active_file")),
    (
        "memory",
        "memory.limit_in_bytes",
        "memory.usage_in_bytes",
        ("total_inactive_file", "total_active_file"),
    ),
)


def used_share() -> float:
    """The largest share, from 0 to 1, of a memory that is used: the machine's, the container's or
    the GPU's, in any of the processes that train together. All of them must ask."""
    shares = torch.tensor(max(_machine(), container_share(_CGROUPS), _gpu()))
    all_reduce(shares, "max")
    return float(shares)


def container_share(cgroups: Path) -> float:
    """The share of a container's memory limit that is used; 0: there is no limit.

    Args:
        cgroups: Where the system shows control groups; a container sees its own there.
    """
    for folder, limit_file, usage_file, dropped in _CGROUP_FILES:
        try:
            limit = int((cgroups / folder / limit_file).read_text())
            usage = int((cgroups / folder / usage_file).read_text())
            rows = (cgroups / folder / "memory.stat").read_text().splitlines()
        except (OSError, ValueError):
            # There is no such version, or its limit is the word "max".
            continue
        stat = dict(row.split(maxsplit=1) for row in rows)
        used = usage - sum(int(stat.get(name, 0)) for name in dropped)
        return max(0.0, used / limit) if limit else 0.0
    return 0.0


def _machine() -> float:
    memory = psutil.virtual_memory()
    return 1 - memory.available / memory.total


def _gpu() -> float:
    """What tensors held at most since the last log line, and what other programs hold.

    What torch keeps beyond that is free.
    """
    if not torch.cuda.is_available():
        return 0.0
    free, total = torch.cuda.mem_get_info()
    cached = torch.cuda.memory_reserved() - torch.cuda.max_memory_allocated()
    return 1 - (free + cached) / total
