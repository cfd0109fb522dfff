"""Runs: their names, their records, and what is known of each step."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import TypeAdapter, ValidationError

from components.user_data import listings
from sub_module.errors import DataError
from sub_module.files import read_json, tree_hash, write_json

Record = TypeVar("Record")
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
    """One step that has begun, as `steps/<component>.json` holds it.

    Attributes:
        component: Its name.
        started: Seconds since the epoch.
        finished: Seconds since the epoch; None: under way, or killed.
        seconds: How long its last attempt took; 0 while it runs.
        metrics: Name to figure.
        outputs: Name to path, relative to the volume.
        published: Name to a tag of the data set repository, or to a URL of the store.
        error: Why it failed; None when it did not.
        mendable: Whether the error is the user's to mend.
    """

    component: str
    started: float = 0.0
    finished: float | None = None
    seconds: float = 0.0
    metrics: dict[str, int | float] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    published: dict[str, str] = field(default_factory=dict)
    error: str | None = None
    mendable: bool = False


_RUN = TypeAdapter(RunRecord)
_STEP = TypeAdapter(StepRecord)
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


def read_record(kind: TypeAdapter[Record], file: Path) -> Record | None:
    """A record from its JSON file, without fields that it does not have; None: no such file.

    Raises:
        DataError: The file is damaged.
    """
    data = read_json(file)
    if data is None:
        return None
    try:
        return kind.validate_python(data)
    except ValidationError as error:
        first = error.errors()[0]
        field_name = ".".join(map(str, first["loc"]))
        raise DataError(f"{file}: damaged: {field_name or 'record'}: {first['msg']}") from error


def write_run(run_dir: Path, record: RunRecord) -> None:
    """Put the record into the run's directory."""
    write_json(run_dir / "run.json", asdict(record))


def read_run(run_dir: Path) -> RunRecord | None:
    """The record of a run's directory; None when it is no run. A damaged one is a failed run's."""
    try:
        return read_record(_RUN, run_dir / "run.json")
    except DataError as error:
        return RunRecord(run_dir.name, "", "", state="failed", error=str(error))


def list_runs(runs_dir: Path) -> list[RunRecord]:
    """The records of all runs in a directory, oldest first."""
    folders = [path for path in runs_dir.glob("[!.]*") if path.is_dir() and not path.is_symlink()]
    records = [record for folder in folders if (record := read_run(folder)) is not None]
    return sorted(records, key=lambda record: (record.started, record.name))


def forget_unfinished(run_dir: Path) -> None:
    """Delete what an earlier attempt said of steps that it did not finish, and damaged records."""
    shutil.rmtree(run_dir / "progress", ignore_errors=True)
    for file in _step_files(run_dir):
        try:
            step = read_record(_STEP, file)
        except DataError:
            step = None
        if step is None or step.finished is None or step.error is not None:
            file.unlink(missing_ok=True)


def read_steps(run_dir: Path) -> dict[str, StepRecord]:
    """The steps that have begun, by component, in the order in which they started.

    Raises:
        DataError: A step's file is damaged.
    """
    files = _step_files(run_dir)
    steps = [step for file in files if (step := read_record(_STEP, file)) is not None]
    return {step.component: step for step in sorted(steps, key=lambda step: step.started)}


def _step_files(run_dir: Path) -> list[Path]:
    return list((run_dir / "steps").glob("[!.]*.json"))
