"""What a run's directory says of the run and of each of its steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import TypeAdapter, ValidationError

from sub_module.errors import DataError
from sub_module.files import read_json

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
        overrides: Of the first step: what the run was started with.
        commit: Of the code that ran, as `components.commit` says it; empty: unknown.
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
    overrides: dict[str, Any] = field(default_factory=dict)
    commit: str = ""


_RUN = TypeAdapter(RunRecord)
_STEP = TypeAdapter(StepRecord)


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


def read_run(run_dir: Path) -> RunRecord | None:
    """The record of a run's directory; None when it is no run. A damaged one is a failed run's."""
    try:
        return read_record(_RUN, run_dir / "run.json")
    except DataError as error:
        return RunRecord(run_dir.name, "", "", state="failed", error=str(error))


def pipeline_of(run_dir: Path, config: Mapping[str, Any]) -> tuple[str, str]:
    """Name and version of the pipeline that a run is one of.

    Raises:
        DataError: The run's record is damaged.
    """
    noted = read_json(run_dir / "run.json")
    if isinstance(noted, dict):
        return str(noted.get("pipeline", "")), str(noted.get("version", ""))
    # On a cluster nobody but the steps writes to the volume. A run's name begins with both, but for
    # one of a schedule, which has the schedule's.
    pipeline = str(config.get("name", ""))
    is_named_so = run_dir.name.startswith(f"{pipeline}-")
    version = run_dir.name.removeprefix(f"{pipeline}-").rpartition("-")[0] if is_named_so else ""
    return pipeline, version


def read_step(file: Path) -> StepRecord | None:
    """The record of one step; None: no such file.

    Raises:
        DataError: The file is damaged.
    """
    return read_record(_STEP, file)


def read_steps(run_dir: Path) -> dict[str, StepRecord]:
    """The steps that have begun, by component, in the order in which they started.

    Raises:
        DataError: A step's file is damaged.
    """
    files = step_files(run_dir)
    steps = [step for file in files if (step := read_step(file)) is not None]
    return {step.component: step for step in sorted(steps, key=lambda step: step.started)}


def step_files(run_dir: Path) -> list[Path]:
    """The files of the steps' records."""
    return list((run_dir / "steps").glob("[!.]*.json"))
