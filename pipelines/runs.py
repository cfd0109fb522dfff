"""Runs: their names, their records, and what is known of each step."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from sub_module.files import listing_hash, read_json, write_json

State = Literal["running", "succeeded", "failed", "stopped"]


@dataclass(frozen=True)
class RunRecord:
    """One run, as `run.json` in its directory holds it.

    Attributes:
        name: Also the directory's name.
        pipeline: Name of the pipeline.
        version: Name of its version.
        overrides: Dotted config key to value.
        started: Seconds since the epoch; of the last attempt.
        finished: Seconds since the epoch; None: under way, or killed.
        state: `running` is also what a killed run leaves.
        error: One line, of a failed run.
        report: The report's file, of a finished run.
    """

    name: str
    pipeline: str
    version: str
    overrides: dict[str, Any] = field(default_factory=dict)
    started: float = 0.0
    finished: float | None = None
    state: State = "running"
    error: str | None = None
    report: str | None = None


@dataclass(frozen=True)
class StepRecord:
    """What `steps/<component>.json` says that a list of runs or a live table shows."""

    component: str
    finished: float | None
    seconds: float
    metrics: dict[str, float]
    error: str | None
    mendable: bool


def run_name(
    pipeline: str, version: str, config: Mapping[str, Any], overrides: Mapping[str, Any]
) -> str:
    """The same name for the same work: version, overrides and the user's own data decide it.

    Args:
        pipeline: Name of the pipeline.
        version: Name of the version.
        config: Resolved, with the overrides applied.
        overrides: As the user gave them.
    """
    sources = {}
    dataset = config.get("dataset", {})
    for path in (dataset.get("annotations"), dataset.get("draw", {}).get("photos")):
        if path is not None and Path(path).is_dir():
            sources[path] = listing_hash(Path(path))
    if not overrides and not sources:
        return f"{pipeline}-{version}"
    text = json.dumps([config, sources], sort_keys=True)
    return f"{pipeline}-{version}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def write_run(run_dir: Path, record: RunRecord) -> None:
    """Put the record into the run's directory."""
    write_json(run_dir / "run.json", asdict(record))


def read_run(run_dir: Path) -> RunRecord | None:
    """The record of a run's directory; None when it is no run."""
    data = read_json(run_dir / "run.json")
    return None if data is None else RunRecord(**data)


def list_runs(runs_dir: Path) -> list[RunRecord]:
    """The records of all runs in a directory, oldest first."""
    folders = [path for path in runs_dir.glob("[!.]*") if path.is_dir() and not path.is_symlink()]
    records = [record for folder in folders if (record := read_run(folder)) is not None]
    return sorted(records, key=lambda record: record.started)


def read_steps(run_dir: Path) -> dict[str, StepRecord]:
    """The steps that have begun, by component."""
    steps = {}
    for file in sorted((run_dir / "steps").glob("[!.]*.json")):
        data = read_json(file)
        if data is not None:
            steps[file.stem] = StepRecord(
                component=file.stem,
                finished=data.get("finished"),
                seconds=data.get("seconds", 0.0),
                metrics=data.get("metrics", {}),
                error=data.get("error"),
                mendable=data.get("mendable", False),
            )
    return steps
