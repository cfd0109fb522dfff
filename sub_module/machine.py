"""The machine that Plateflow runs on."""

from __future__ import annotations

import os


def num_cores() -> int:
    """How many cores this process may use, at least 1.

    Where the system can bind processes to cores (Linux: `taskset`, containers with a set of cores),
    those count; elsewhere all of the machine's.
    """
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
