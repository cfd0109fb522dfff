"""Pipelines on this machine: the uploaded YAML, run by kfp.local in one shared directory."""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console

from components.records import RunRecord, read_run, read_steps
from components.run_config import run_config
from pipelines.backends.base import Version, task_order
from pipelines.backends.directory import DirectoryRegistry
from pipelines.backends.display import follow
from pipelines.backends.lock import HomeLock
from pipelines.backends.process import WorkerProcess
from pipelines.registry import Package
from pipelines.runs import forget_unfinished, list_runs, run_name, write_run
from sub_module.errors import DataError, PlateflowError, RunError
from sub_module.files import point, read_json, remove, sweep

# With less than this left, a crash is put down to the full disk.
_MIN_FREE_BYTES = 4 << 20


class LocalBackend:
    """Everything below one directory: `registry/`, `runs/`, `datasets/`, `models/`."""

    def __init__(self, home: Path, console: Console | None = None) -> None:
        """Keep all state in `home`, which need not exist; show progress on `console`."""
        self._home = home.absolute()
        self._runs = self._home / "runs"
        self._registry = DirectoryRegistry(self._home / "registry")
        self._lock = HomeLock(self._home)
        self._console = console or Console(stderr=True)
        self._worker: WorkerProcess | None = None

    def upload(self, package: Package) -> Version:
        """See `Backend`."""
        return self._registry.upload(package)

    def versions(self, pipeline: str | None = None) -> list[Version]:
        """See `Backend`."""
        return self._registry.versions(pipeline)

    def find(self, pipeline: str, version: str) -> Version | None:
        """See `Backend`."""
        return self._registry.find(pipeline, version)

    def latest(self, pipeline: str) -> Version | None:
        """See `Backend`."""
        versions = self._registry.versions(pipeline)
        return versions[-1] if versions else None

    def run(self, pipeline: str, version: str, overrides: Mapping[str, Any]) -> RunRecord:
        """See `Backend`."""
        self._registry.version(pipeline, version)
        folder = self._registry.folder(pipeline, version)
        config = run_config(str(folder / "config.json"), overrides)
        name = run_name(pipeline, version, config, self._home)
        run_dir = self._runs / name
        earlier = read_run(run_dir)
        if earlier is not None and earlier.state == "succeeded" and self._is_whole(earlier):
            return earlier
        self._lock.acquire(name)
        try:
            # Not the registry: uploading needs no lock.
            for kept in (self._runs, self._home / "datasets", self._home / "models"):
                sweep(kept)
            forget_unfinished(run_dir)
            # Whatever was lost or damaged, a report of the last attempt is written anew.
            (run_dir / "steps" / "report.json").unlink(missing_ok=True)
            record = RunRecord(name, pipeline, version, dict(overrides), started=time.time())
            write_run(run_dir, record)
            arguments = {
                "run": name,
                "volume": str(self._home),
                "config": str((folder / "config.json").relative_to(self._home)),
                "overrides": dict(overrides),
            }
            self._worker = WorkerProcess(
                folder / "pipeline.yaml", arguments, run_dir / "pipeline.log", self._home
            )
        except BaseException:
            self._lock.release()
            raise
        return record

    def wait(self, run: str, timeout_seconds: float | None = None) -> RunRecord:
        """See `Backend`; a run that has not ended in time is stopped."""
        end = math.inf if timeout_seconds is None else time.monotonic() + timeout_seconds
        run_dir = self._runs / run
        record = read_run(run_dir)
        if record is None:
            raise RunError(f"there is no run {run} in {self._runs}")
        worker = self._worker
        if worker is None:
            return record
        mendable = False
        try:
            folder = self._registry.folder(record.pipeline, record.version)
            components = component_order(folder / "pipeline.yaml")

            def is_followed() -> bool:
                return worker.is_alive() and time.monotonic() < end

            follow(run_dir, components, is_followed, self._console)
            if worker.is_alive():
                raise RunError(
                    f"run {run} has not ended in time and was stopped; the same command goes on "
                    "from here"
                )
            record, mendable = self._finish(run_dir, record, worker)
        except Exception as error:
            # Of this process, such as one while it writes the report.
            mistake = isinstance(error, PlateflowError)
            reason = str(error) if mistake else f"{type(error).__name__}: {error}"
            failed = replace(record, state="failed", finished=time.time(), error=reason)
            # On a full disk there is no room to say so; the caller gets the error itself.
            with suppress(OSError):
                write_run(run_dir, failed)
            raise
        except BaseException:
            write_run(run_dir, replace(record, state="stopped", finished=time.time()))
            raise
        finally:
            worker.stop()
            self._worker = None
            self._lock.release()
        if mendable:
            raise RunError(str(record.error))
        return record

    def runs(self) -> list[RunRecord]:
        """See `Backend`."""
        return list_runs(self._runs)

    def delete(self, run: str) -> None:
        """See `Backend`."""
        run_dir = self._runs / run
        if run not in {record.name for record in self.runs()}:
            raise RunError(f"there is no run {run} in {self._runs}")
        if self._lock.holder() == run:
            raise RunError(f"run {run} is under way; stop it first")
        remove(run_dir)
        latest = self._runs / "latest"
        if latest.is_symlink() and not latest.exists():
            latest.unlink()
            finished = [record for record in self.runs() if record.state == "succeeded"]
            if finished:
                newest = max(finished, key=lambda record: record.finished or 0.0)
                point(latest, newest.name)

    def delete_version(self, pipeline: str, version: str) -> None:
        """See `Backend`."""
        self._registry.delete(pipeline, version)

    def delete_pipeline(self, pipeline: str) -> None:
        """See `Backend`."""
        self._registry.delete_pipeline(pipeline)

    def _is_whole(self, record: RunRecord) -> bool:
        """Whether the report of a finished run is still there, and the model that it deployed."""
        file = self._home / str(record.report)
        try:
            report = read_json(file.with_suffix(".json"))
        except DataError:
            return False
        if not file.is_file() or report is None:
            return False
        model = report["model"]["path"]
        return model is None or Path(model).exists()

    def _finish(
        self, run_dir: Path, record: RunRecord, worker: WorkerProcess
    ) -> tuple[RunRecord, bool]:
        """The record of a run whose worker has ended, and whether the user can mend its error."""
        record = replace(record, finished=time.time())
        if worker.exit_code == 0:
            report = run_dir / "report.html"
            if "report" not in read_steps(run_dir):
                # Of a version that was uploaded before the report was a step of its own.
                write_report(run_dir)
            record = replace(record, state="succeeded", report=str(report.relative_to(self._home)))
            # In this order: whoever finds the run finished finds it under `latest` too.
            point(self._runs / "latest", record.name)
            write_run(run_dir, record)
            return record, False
        error, mendable = self._reason(run_dir)
        if (run_dir / "test" / "readings.json").is_file():
            # The model can be looked at, such as one that was refused for its EIR. Why the run
            # failed counts more than its report.
            with suppress(PlateflowError, OSError):
                report = write_report(run_dir)
                error = f"{error}; report: {report}"
                record = replace(record, report=str(report.relative_to(self._home)))
        record = replace(record, state="failed", error=error)
        write_run(run_dir, record)
        return record, mendable

    def _reason(self, run_dir: Path) -> tuple[str, bool]:
        """Why the worker failed, and whether the user can mend it."""
        log = run_dir / "pipeline.log"
        failed = [step for step in read_steps(run_dir).values() if step.error is not None]
        if failed and failed[0].mendable:
            return f"{failed[0].component}: {failed[0].error}", True
        if shutil.disk_usage(self._home).free < _MIN_FREE_BYTES:
            return f"the disk that holds {self._home} is full", True
        if failed:
            return f"step {failed[0].component} crashed ({failed[0].error}); see {log}", False
        cut = [step for step in read_steps(run_dir).values() if step.finished is None]
        if cut:
            return f"step {cut[0].component} was killed, perhaps for memory; see {log}", False
        return f"the pipeline failed; see {log}", False


def component_order(yaml_file: Path) -> list[str]:
    """The tasks of a compiled pipeline, each after those that it depends on."""
    for document in yaml.safe_load_all(yaml_file.read_text(encoding="utf-8")):
        if document and "root" in document:
            return task_order(document["root"]["dag"]["tasks"])
    raise RunError(f"{yaml_file}: no compiled pipeline")


def write_report(run_dir: Path) -> Path:
    """The run's report."""
    from components.report import write_report as write

    return write(run_dir)
