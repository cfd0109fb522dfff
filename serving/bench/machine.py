"""The machine of a measurement, in words."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

from sub_module.machine import num_cores

_PACKAGES = [
    "onnxruntime", "openvino", "fastapi", "uvicorn", "kserve", "litserve", "torchserve",
]  # fmt: skip


def machine_note() -> dict[str, str]:
    """What a reader has to know beside the figures."""
    note = {
        "processor": _processor(),
        "cores": str(num_cores()),
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "load before": f"{os.getloadavg()[0]:.2f}",
    }
    for package in _PACKAGES:
        try:
            note[package] = version(package)
        except PackageNotFoundError:
            continue
    return note


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
