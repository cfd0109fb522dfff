"""Pipelines uploaded, run, listed and deleted; on a cluster, runs ended and their logs read."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from commands.cluster import cluster_only, kubeflow
from commands.options import (
    BackendOption,
    CodeOption,
    CodePlace,
    ConfigOption,
    Kind,
    KindOption,
    NameOption,
    OverridesOption,
    RunUploadedOption,
    SetOption,
    TimeoutOption,
    VersionOption,
    WaitOption,
    YesOption,
)
from commands.terminal import failed, say, table
from components.records import RunRecord
from components.run_config import named_by, read_overrides, run_config
from pipelines.backends import Backend, BackendName, open_backend
from pipelines.registry import (
    Package,
    cluster_settings,
    make_package,
    needs_upload,
    split_overrides,
)
from sub_module.engine.config import parse_overrides
from sub_module.errors import ConfigError, RunError
from sub_module.files import read_json
from sub_module.settings import Settings

DEFAULT_PIPELINE = "plate_training"


def register(app: typer.Typer) -> None:
    """Add the commands to the entry point."""
    for command in (upload_and_run, upload, run, versions, runs, delete, terminate, logs):
        app.command()(command)


def upload_and_run(
    config: ConfigOption = "plate_training",
    name: NameOption = None,
    version: VersionOption = None,
    overrides: SetOption = [],  # noqa: B006 - Typer reads defaults, nobody changes them
    overrides_file: OverridesOption = None,
    run_uploaded: RunUploadedOption = True,
    backend: BackendOption = BackendName.LOCAL,
    code: CodeOption = CodePlace.IMAGE,
    wait: WaitOption = True,
    timeout: TimeoutOption = None,
) -> None:
    """Upload the pipeline and run it: photographs to a model in use and a report."""
    _check_options(backend, code, wait)
    of_file, of_options = read_overrides(overrides_file), parse_overrides(overrides)
    changes, of_cluster = split_overrides({**of_file, **of_options})
    with named_by(overrides_file, of_file, of_options):
        # Before anything is uploaded; a run checks them again, against the uploaded config.
        run_config(config, changes)
        package = _package(config, name, version, of_cluster, code, backend)
    where = open_backend(backend, Settings())
    uploaded = where.find(package.pipeline, package.version)
    if needs_upload(package, uploaded is not None, run_uploaded):
        where.upload(package)
        say(f"uploaded {package.pipeline}/{package.version}")
    elif uploaded and uploaded.content != package.content:
        say(
            f"version {package.version} was uploaded with other content: running it as it was "
            "uploaded; give another --version to run what is here now"
        )
    _run(where, package.pipeline, package.version, changes, backend, wait, timeout)


def upload(
    config: ConfigOption = "plate_training",
    name: NameOption = None,
    version: VersionOption = None,
    overrides: Annotated[
        list[str],
        typer.Option("--set", metavar="KEY=VALUE", help="Change a key of `cluster`; repeatable."),
    ] = [],  # noqa: B006
    backend: BackendOption = BackendName.LOCAL,
    code: CodeOption = CodePlace.IMAGE,
) -> None:
    """Upload the pipeline as a new version; one that is there is never replaced."""
    _check_options(backend, code)
    changes, of_cluster = split_overrides(parse_overrides(overrides))
    if changes:
        raise ConfigError(
            f"{next(iter(changes))}: is given to a run; --set of an upload takes cluster.*"
        )
    package = _package(config, name, version, of_cluster, code, backend)
    where = open_backend(backend, Settings())
    is_uploaded = where.find(package.pipeline, package.version) is not None
    where.upload(package)
    if is_uploaded:
        say("uploaded already, with the same content; nothing to do")
    typer.echo(f"{package.pipeline}/{package.version}")


def run(
    name: NameOption = DEFAULT_PIPELINE,
    version: Annotated[str | None, typer.Option(help="Default: the latest uploaded.")] = None,
    overrides: SetOption = [],  # noqa: B006
    overrides_file: OverridesOption = None,
    backend: BackendOption = BackendName.LOCAL,
    wait: WaitOption = True,
    timeout: TimeoutOption = None,
) -> None:
    """Run an uploaded version."""
    _check_options(backend, wait=wait)
    of_file, of_options = read_overrides(overrides_file), parse_overrides(overrides)
    changes = run_changes({**of_file, **of_options}, backend)
    where = open_backend(backend, Settings())
    pipeline = name or DEFAULT_PIPELINE
    with named_by(overrides_file, of_file, of_options):
        chosen = version or latest_version(where, pipeline)
        _run(where, pipeline, chosen, changes, backend, wait, timeout)


def versions(name: NameOption = None, backend: BackendOption = BackendName.LOCAL) -> None:
    """List the uploaded versions."""
    rows = [
        [f"{found.pipeline}/{found.version}", found.content or "-", _moment(found.uploaded)]
        for found in open_backend(backend, Settings()).versions(name)
    ]
    table(["version", "content", "uploaded"], rows)


def runs(backend: BackendOption = BackendName.LOCAL) -> None:
    """List the runs; on a cluster each attempt at a run has a line, and an id."""
    header = ["state", "started", "changes", "error"]
    if backend is BackendName.LOCAL:
        found = open_backend(backend, Settings()).runs()
        table(["run", *header], [[record.name, *_row(record)] for record in found])
    else:
        attempts = kubeflow(backend, "runs").runs()
        rows = [[record.name, record.id, *_row(record)] for record in attempts]
        table(["run", "id", *header], rows)


def delete(
    target: Annotated[
        str, typer.Argument(help="A run, PIPELINE/VERSION, or what --kind says it is.")
    ],
    kind: KindOption = None,
    yes: YesOption = False,
    backend: BackendOption = BackendName.LOCAL,
) -> None:
    """Delete a run, an uploaded version, a pipeline, or an experiment with its runs.

    Of a run on this machine its files go too; on a cluster they stay on the volume.
    """
    pipeline, slash, version = target.partition("/")
    kind = kind or (Kind.VERSION if slash else Kind.RUN)
    if kind is Kind.EXPERIMENT and backend is BackendName.LOCAL:
        raise cluster_only("--kind experiment")
    if bool(slash) != (kind is Kind.VERSION):
        expected = "PIPELINE/VERSION" if kind is Kind.VERSION else "a name without a slash"
        raise ConfigError(f"{target}: a {kind} is {expected}")
    where = open_backend(backend, Settings())
    if not yes:
        everything = {Kind.PIPELINE: " with its versions", Kind.EXPERIMENT: " with its runs"}
        what = f"{target}{everything.get(kind, '')}"
        typer.confirm(f"Delete {what}?", abort=True, err=True)
    if kind is Kind.VERSION:
        where.delete_version(pipeline, version)
    elif kind is Kind.PIPELINE:
        where.delete_pipeline(target)
    elif kind is Kind.EXPERIMENT:
        kubeflow(backend, "--kind experiment").delete_experiment(target)
    else:
        where.delete(target)
    say(f"deleted {target}")


RunArgument = Annotated[str, typer.Argument(help="Its name, for the newest of it, or its id.")]


def terminate(run: RunArgument, backend: BackendOption = BackendName.KUBEFLOW) -> None:
    """End a run on a cluster; the same `run` goes on from there."""
    kubeflow(backend, "terminate").terminate(run)
    say(f"run {run} ends")


def logs(
    run: RunArgument,
    step: Annotated[
        str | None, typer.Option("--step", help="Such as train; default: all that have begun.")
    ] = None,
    backend: BackendOption = BackendName.KUBEFLOW,
) -> None:
    """Print what the steps of a run on a cluster printed."""
    for name, text in kubeflow(backend, "logs").logs(run, step).items():
        if step is None:
            typer.echo(f"==> {name} <==")
        typer.echo(text.rstrip("\n"))


def run_changes(changes: Mapping[str, Any], backend: BackendName) -> dict[str, Any]:
    """Changes of a run's config.

    Raises:
        ConfigError: One is of `cluster`, which a version has from its upload.
    """
    of_run, of_cluster = split_overrides(changes)
    if of_cluster and backend is BackendName.LOCAL:
        raise cluster_only(next(iter(of_cluster)))
    if of_cluster:
        raise ConfigError(
            f"{next(iter(of_cluster))}: is fixed when a version is uploaded; give it to "
            "upload-and-run or upload with another --version"
        )
    return of_run


def latest_version(where: Backend, pipeline: str) -> str:
    """The name of the version that was uploaded last.

    Raises:
        RunError: There is none.
    """
    latest = where.latest(pipeline)
    if latest is None:
        raise RunError(f"pipeline {pipeline} is not uploaded; upload it first")
    return latest.version


def _row(record: RunRecord) -> list[str]:
    changes = " ".join(f"{key}={value}" for key, value in record.overrides.items())
    return [record.state, _moment(record.started), changes, record.error or ""]


def _check_options(
    backend: BackendName, code: CodePlace = CodePlace.IMAGE, wait: bool = True
) -> None:
    if backend is BackendName.LOCAL and code is CodePlace.VOLUME:
        raise cluster_only("--code volume")
    if backend is BackendName.LOCAL and not wait:
        raise cluster_only("--no-wait")


def _package(
    config: str,
    name: str | None,
    version: str | None,
    of_cluster: Mapping[str, Any],
    code: CodePlace,
    backend: BackendName,
) -> Package:
    brought = None
    if code is CodePlace.VOLUME:
        from pipelines.code import deliver_code

        limit = cluster_settings(config, of_cluster).max_code_megabytes
        brought = deliver_code(Settings(), limit)
        say(f"code {brought.commit} goes through the {brought.place}")
    for_cluster = backend is BackendName.KUBEFLOW
    return make_package(config, name, version, of_cluster, brought, for_cluster)


def _run(
    where: Backend,
    pipeline: str,
    version: str,
    changes: dict[str, Any],
    backend: BackendName,
    wait: bool,
    timeout: float | None,
) -> None:
    record = where.run(pipeline, version, changes)
    if record.state == "succeeded":
        say(f"run {record.name} is done already; nothing to do")
    else:
        if not wait:
            typer.echo(record.name)
            return
        say(f"run {record.name}")
        record = _followed(where, record.name, backend, timeout)
    if record.state != "succeeded":
        raise typer.Exit(failed(record.error or "the run failed", 1))
    _show_result(record, backend)


def _followed(
    where: Backend, run: str, backend: BackendName, timeout_minutes: float | None
) -> RunRecord:
    try:
        return where.wait(run, None if timeout_minutes is None else timeout_minutes * 60)
    except KeyboardInterrupt:
        line = "stopped; the same command goes on from here"
        if backend is BackendName.KUBEFLOW:
            line = f"the run goes on; the same command follows it, `terminate {run}` ends it"
        raise typer.Exit(failed(line, 130)) from None


def _show_result(record: RunRecord, backend: BackendName) -> None:
    settings = Settings()
    # Where this machine sees what the steps saw.
    root = settings.home if backend is BackendName.LOCAL else settings.volume
    report = (root or Path()) / str(record.report)
    if root is None or not report.is_file():
        typer.echo(f"report  {record.report} on the volume")
        return
    summary = read_json(report.with_suffix(".json")) or {}
    eir = summary.get("metrics", {}).get("EIR")
    typer.echo(f"EIR     {'none' if eir is None else f'{eir:.4f}'}")
    typer.echo(f"model   {summary.get('model', {}).get('path')}")
    typer.echo(f"report  {report}")


def _moment(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))
