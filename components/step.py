"""What all components share: a step's record on the volume, its progress, and not doing it twice.

A run's directory is `<volume>/runs/<run>`. A step keeps `steps/<component>.json` there with
`component`, `commit` (of the code that ran), `started`, `finished` (seconds since the epoch),
`seconds`, `metrics`, `outputs` (paths relative to the volume), `published` (names outside of the
volume), `inputs` (what it was made from), `error` (one line or null) and `mendable` (whether the
error is the user's to mend); the first step also `overrides`. All is of its last attempt.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from components.commit import commit_of_code
from components.parameters import COMPILED, compiled_config, given_overrides
from components.run_config import run_config
from components.user_data import listings
from sub_module.engine.config import load_config
from sub_module.errors import DataError, PlateflowError, RunError
from sub_module.files import is_disk_full, read_json, reason_of, write_json, write_text
from sub_module.plates import PlateStandard
from sub_module.progress import FileProgress
from sub_module.settings import Settings


class Artifact(Protocol):
    """What is used here of KFP's typed artifacts; `metadata["path"]` is relative to the volume."""

    metadata: dict[str, Any]

    @property
    def path(self) -> str:
        """Where KFP wants the artifact's own file."""


class MetricsArtifact(Protocol):
    """What is used here of `kfp.dsl.Metrics`."""

    def log_metric(self, metric: str, value: float) -> None:
        """Note a figure."""


@dataclass(frozen=True)
class Result:
    """What a step made.

    Attributes:
        outputs: Name of an output artifact to the file or directory on the volume.
        metrics: Figures; one that does not exist for this model is left out.
        published: Under which names the step put things where others find them, such as a tag of
            the data set repository or a URL of the store; steps to come read them in the metadata
            of its artifacts.
    """

    outputs: Mapping[str, Path] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    published: Mapping[str, str] = field(default_factory=dict)


class Step:
    """One component's work in one run."""

    def __init__(self, component: str, volume: str, run: str) -> None:
        """A step of the run on the volume; writes nothing."""
        self.component = component
        self.run = run
        self.volume = Path(volume).resolve()
        self.run_dir = self.volume / "runs" / run
        # The step's own files.
        self.folder = self.run_dir / component
        self.record_file = self.run_dir / "steps" / f"{component}.json"
        self.progress = FileProgress(self.run_dir / "progress" / f"{component}.json", component)

    @cached_property
    def config(self) -> dict[str, Any]:
        """The run's resolved config, as its first step wrote it."""
        return load_config(str(self.run_dir / "config.json"))

    @cached_property
    def standard(self) -> PlateStandard:
        """The plates of this run."""
        return PlateStandard.from_config(self.config["plates"])

    def path_of(self, artifact: Artifact) -> Path:
        """Where on the volume an input artifact lies."""
        return self.volume / str(artifact.metadata["path"])

    def write_paths(self, name: str, paths: Sequence[Path]) -> Path:
        """Note several files as one output, which `read_paths` takes: a JSON file in the folder."""
        file = self.folder / f"{name}.json"
        write_json(file, [str(path.resolve().relative_to(self.volume)) for path in paths])
        return file

    def read_paths(self, artifact: Artifact) -> list[Path]:
        """The files that an input artifact of `write_paths` names."""
        return [self.volume / path for path in read_json(self.path_of(artifact))]

    def empty_folder(self) -> Path:
        """The step's folder, without what an earlier attempt left in it."""
        shutil.rmtree(self.folder, ignore_errors=True)
        return self.folder

    def resolve_config(self, config: str, overrides: Mapping[str, Any]) -> dict[str, Any]:
        """Write the run's `config.json`.

        Args:
            config: A config's name, its path relative to the volume, or `compiled`.
            overrides: Dotted config key to value, or where they are in the store.

        Returns:
            The overrides themselves.

        Raises:
            ConfigError: As `run_config` says; or there is no compiled config.
            StoreError: The store cannot be read, or does not have the overrides.
        """
        given = given_overrides(overrides, self.volume)
        on_volume = self.volume / config
        named = str(on_volume) if on_volume.is_file() else config
        resolved = run_config(compiled_config() if config == COMPILED else named, given)
        write_json(self.run_dir / "config.json", resolved)
        return given


def run_step(
    step: Step,
    work: Callable[[], Result],
    inputs: Sequence[Artifact] = (),
    outputs: Mapping[str, Artifact] | None = None,
    metrics: MetricsArtifact | None = None,
    resolve: tuple[str, Mapping[str, Any]] | None = None,
) -> None:
    """Do the step's work, unless it is done already with the same inputs; fill the artifacts.

    Args:
        step: Which step of which run.
        work: Called without arguments; its outputs are named like `outputs`.
        inputs: Artifacts that the work reads.
        outputs: Artifacts to fill.
        metrics: Takes the figures of the result.
        resolve: The first step only: config and overrides from which to write the run's config.

    Raises:
        SystemExit: The work failed through something that the user can mend; the record says what.
    """
    file = step.record_file
    record: dict[str, Any] = {
        "component": step.component,
        "commit": commit_of_code(),
        "started": time.time(),
    }
    try:
        if resolve is not None:
            record["overrides"] = step.resolve_config(*resolve)
        made_from = _made_from(step, inputs)
        if resolve is not None:
            # The first step reads the user's data; what follows reads what that step made.
            made_from["data"] = listings(step.config, step.volume)
        earlier = _earlier(file)
        if _is_done(earlier, made_from, step.volume):
            print(f"{step.component}: already done with the same inputs")
            record = earlier
        else:
            record |= {"inputs": made_from, "finished": None, "error": None}
            write_json(file, record)
            step.progress(0, 0)
            record |= _finished(step, work(), record["started"])
            write_json(file, record)
    except (Exception, SystemExit) as error:
        _fail(file, record, error, step.volume)
    _fill(record, outputs or {}, metrics)


def _made_from(step: Step, inputs: Sequence[Artifact]) -> dict[str, Any]:
    text = json.dumps(step.config, sort_keys=True)
    return {
        "config": hashlib.sha256(text.encode()).hexdigest()[:12],
        "artifacts": [dict(artifact.metadata) for artifact in inputs],
        "places": _places(Settings(home=step.volume)),
    }


def _places(settings: Settings) -> dict[str, str]:
    """Where things are published outside of the volume: what is done is not there yet elsewhere."""
    named = {
        "database": settings.database_url,
        "store": settings.store,
        "datasets": settings.datasets,
    }
    # Before and behind the place, URLs may hold a user and a password.
    return {
        name: place.rpartition("@")[2].partition("?")[0] for name, place in named.items() if place
    }


def _earlier(file: Path) -> dict[str, Any]:
    """The record of an earlier attempt; empty when there was none, or when its file is damaged."""
    try:
        record = read_json(file)
    except DataError:
        return {}
    return record if isinstance(record, dict) else {}


def _is_done(record: Mapping[str, Any], made_from: Mapping[str, Any], volume: Path) -> bool:
    return (
        record.get("finished") is not None
        and record.get("error") is None
        and record.get("inputs") == made_from
        and all((volume / path).exists() for path in record["outputs"].values())
    )


def _finished(step: Step, result: Result, started: float) -> dict[str, Any]:
    finished = time.time()
    outputs = {
        name: str(path.resolve().relative_to(step.volume)) for name, path in result.outputs.items()
    }
    return {
        "finished": finished,
        "seconds": round(finished - started, 3),
        "outputs": outputs,
        "metrics": dict(result.metrics),
        "published": dict(result.published),
    }


def _fail(file: Path, record: dict[str, Any], error: BaseException, volume: Path) -> None:
    if is_disk_full(error):
        error = RunError(f"the disk that holds {volume} is full")
    elif isinstance(error, PermissionError):
        error = RunError(reason_of(error))
    mendable = isinstance(error, PlateflowError)
    reason = str(error) if mendable else f"{type(error).__name__}: {error}"
    finished = time.time()
    record |= {
        "finished": finished,
        "seconds": round(finished - record["started"], 3),
        "error": reason,
        "mendable": mendable,
    }
    try:
        write_json(file, record)
    except OSError as write_error:
        print(f"{file}: cannot be written: {write_error}", file=sys.stderr)
    if not mendable:
        raise error
    print(f"error: {reason}", file=sys.stderr)
    raise SystemExit(2)


def _fill(
    record: Mapping[str, Any],
    outputs: Mapping[str, Artifact],
    metrics: MetricsArtifact | None,
) -> None:
    for name, artifact in outputs.items():
        path = record["outputs"][name]
        artifact.metadata.update(path=path, made=record["finished"], **record.get("published", {}))
        # The data stay on the volume; what KFP keeps is where.
        write_text(Path(artifact.path), f"{path}\n")
    if metrics is not None:
        for name, value in record["metrics"].items():
            metrics.log_metric(name, value)
