"""Runs in a directory of this machine: named, noted, listed, and made ready to go on."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from components.records import RunRecord, read_run, read_step, step_files
from components.user_data import listings
from sub_module.errors import DataError
from sub_module.files import tree_hash, write_json

_ROOT = Path(__file__).parents[1]
_ROOMS = ("sub_module", "dataset_tools", "components", "pipelines")


def run_name(pipeline: str, version: str, config: Mapping[str, Any], volume: Path) -> str:
    """The same name for the same work: version, config, the user's own data and our code decide it.

    Args:
        pipeline: Name of the pipeline.
        version: Name of the version.
        config: Resolved, with the overrides applied.
        volume: Where data are looked up that the working directory does not have.

    Raises:
        ConfigError, DataError: The data that the config names cannot be found.
    """
    code = [tree_hash(_ROOT / room, "*.py") for room in _ROOMS]
    text = json.dumps([config, listings(config, volume), code], sort_keys=True)
    return f"{pipeline}-{version}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def write_run(run_dir: Path, record: RunRecord) -> None:
    """Put the record into the run's directory."""
    write_json(run_dir / "run.json", asdict(record))


def list_runs(runs_dir: Path) -> list[RunRecord]:
    """The records of all runs in a directory, oldest first."""
    folders = [path for path in runs_dir.glob("[!.]*") if path.is_dir() and not path.is_symlink()]
    records = [record for folder in folders if (record := read_run(folder)) is not None]
    return sorted(records, key=lambda record: (record.started, record.name))


def forget_unfinished(run_dir: Path) -> None:
    """Delete what an earlier attempt said of steps that it did not finish, and damaged records."""
    shutil.rmtree(run_dir / "progress", ignore_errors=True)
    for file in step_files(run_dir):
        try:
            step = read_step(file)
        except DataError:
            step = None
        if step is None or step.finished is None or step.error is not None:
            file.unlink(missing_ok=True)
