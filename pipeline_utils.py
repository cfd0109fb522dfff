"""Plateflow's command line: `python pipeline_utils.py --help`, installed also as `plateflow`."""

from __future__ import annotations

import json
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from commands import catalog, doctor, labelling, tensorboard
from commands import versions as version_commands
from commands.dataset import app as dataset_app
from commands.options import (
    BackendOption,
    ConfigOption,
    JsonOption,
    ModelOption,
    NameOption,
    OverridesOption,
    RunUploadedOption,
    SetOption,
    VersionOption,
    YesOption,
)
from commands.search import tune
from commands.secrets import app as secrets_app
from commands.terminal import bar, failed, say, table
from components.run_config import named_by, read_overrides, run_config
from pipelines.backends import Backend, BackendName, open_backend
from pipelines.registry import make_package, needs_upload
from pipelines.runs import RunRecord
from sub_module.engine.config import parse_overrides
from sub_module.errors import PlateflowError, RunError
from sub_module.files import is_disk_full, read_json, reason_of
from sub_module.settings import Settings

if TYPE_CHECKING:
    from sub_module.engine.infer import Detector

app = typer.Typer(
    help="From photographs to number plate readings.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for group in (version_commands, labelling, catalog):
    group.register(dataset_app)
for single in (doctor, tensorboard):
    single.register(app)
app.add_typer(dataset_app, name="dataset")
app.add_typer(secrets_app, name="secrets")
app.command()(tune)


@app.command()
def upload_and_run(
    config: ConfigOption = "plate_training",
    name: NameOption = None,
    version: VersionOption = None,
    overrides: SetOption = [],  # noqa: B006 - Typer reads defaults, nobody changes them
    overrides_file: OverridesOption = None,
    run_uploaded: RunUploadedOption = True,
    backend: BackendOption = BackendName.LOCAL,
) -> None:
    """Upload the pipeline and run it: photographs to a model in use and a report."""
    of_file, of_options = read_overrides(overrides_file), parse_overrides(overrides)
    changes = {**of_file, **of_options}
    package = make_package(config, name, version)
    # Before anything is uploaded; a run checks them again, against the uploaded config.
    with named_by(overrides_file, of_file, of_options):
        run_config(config, changes)
    where = open_backend(backend, Settings())
    present = {found.version: found for found in where.versions(package.pipeline)}
    uploaded = present.get(package.version)
    if needs_upload(package, uploaded is not None, run_uploaded):
        where.upload(package)
        say(f"uploaded {package.pipeline}/{package.version}")
    elif uploaded and uploaded.content != package.content:
        say(
            f"version {package.version} was uploaded with other content: running it as it was "
            "uploaded; give another --version to run what is here now"
        )
    _run(where, package.pipeline, package.version, changes)


@app.command()
def upload(
    config: ConfigOption = "plate_training",
    name: NameOption = None,
    version: VersionOption = None,
    backend: BackendOption = BackendName.LOCAL,
) -> None:
    """Upload the pipeline as a new version; one that is there is never replaced."""
    package = make_package(config, name, version)
    open_backend(backend, Settings()).upload(package)
    typer.echo(f"{package.pipeline}/{package.version}")


@app.command()
def run(
    name: NameOption = "plate_training",
    version: Annotated[str | None, typer.Option(help="Default: the latest uploaded.")] = None,
    overrides: SetOption = [],  # noqa: B006
    overrides_file: OverridesOption = None,
    backend: BackendOption = BackendName.LOCAL,
) -> None:
    """Run an uploaded version."""
    of_file, of_options = read_overrides(overrides_file), parse_overrides(overrides)
    changes = {**of_file, **of_options}
    where = open_backend(backend, Settings())
    pipeline = name or "plate_training"
    uploaded = where.versions(pipeline)
    if version is None and not uploaded:
        raise RunError(f"pipeline {pipeline} is not uploaded; upload it first")
    with named_by(overrides_file, of_file, of_options):
        _run(where, pipeline, version or uploaded[-1].version, changes)


@app.command()
def versions(name: NameOption = None, backend: BackendOption = BackendName.LOCAL) -> None:
    """List the uploaded versions."""
    rows = [
        [f"{found.pipeline}/{found.version}", found.content, _moment(found.uploaded)]
        for found in open_backend(backend, Settings()).versions(name)
    ]
    table(["version", "content", "uploaded"], rows)


@app.command()
def runs(backend: BackendOption = BackendName.LOCAL) -> None:
    """List the runs."""
    rows = [
        [record.name, record.state, _moment(record.started), _changes(record), record.error or ""]
        for record in open_backend(backend, Settings()).runs()
    ]
    table(["run", "state", "started", "changes", "error"], rows)


@app.command()
def delete(
    target: Annotated[str, typer.Argument(help="A run, or PIPELINE/VERSION.")],
    yes: YesOption = False,
    backend: BackendOption = BackendName.LOCAL,
) -> None:
    """Delete a run with its files, or an uploaded version."""
    where = open_backend(backend, Settings())
    if not yes:
        typer.confirm(f"Delete {target}?", abort=True, err=True)
    pipeline, slash, version = target.partition("/")
    if slash:
        where.delete_version(pipeline, version)
    else:
        where.delete(target)
    say(f"deleted {target}")


@app.command()
def read(
    images: Annotated[list[Path], typer.Argument(help="Image files.")],
    model: ModelOption = None,
    as_json: JsonOption = False,
    out: Annotated[
        Path, typer.Option("--out", help="Directory for the annotated pictures.")
    ] = Path("."),
) -> None:
    """Read the plates on images; each picture with its plates marked goes to <name>.read.jpg."""
    from sub_module.engine.read import picture_files, read_image
    from sub_module.plates.picture import terminal_plate

    detector = _detector(model)
    rows = []
    for image, picture in zip(images, picture_files(images, out), strict=True):
        readings = read_image(detector, image, None if as_json else picture)
        rows.append({"file": str(image), "readings": [found.to_dict() for found in readings]})
        if not as_json:
            typer.echo(f"{image}: {len(readings) or 'no'} plate{'s'[: len(readings) != 1]}")
            for found in readings:
                typer.echo(terminal_plate(found, detector.standard))
                typer.echo(f"{found.text}  {found.layout}  score {found.score:.2f}")
            typer.echo(f"picture: {picture}")
    if as_json:
        typer.echo(json.dumps(rows, indent=2))


@app.command()
def evaluate(
    directory: Annotated[Path, typer.Argument(help="An annotation set.")],
    model: ModelOption = None,
    as_json: JsonOption = False,
) -> None:
    """mAP, dv_mAP and EIR of a model on a labelled directory."""
    from components.evaluate.labelled import evaluate_labelled

    detector = _detector(model)
    with bar("evaluating") as progress:
        scores = evaluate_labelled(detector, directory, progress)
    if as_json:
        typer.echo(json.dumps(scores, indent=2))
    else:
        rows = [
            # Only dv_mAP can be missing.
            [name, "none (no masks)" if value is None else f"{value:.4g}"]
            for name, value in scores.items()
        ]
        table(["figure", "value"], rows)


def main() -> NoReturn:
    """Run the command line; a user's mistake is one line and exit code 2."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)
    try:
        app()
    except PlateflowError as error:
        sys.exit(failed(str(error), 2))
    except OSError as error:
        full = f"the disk is full: {error.filename or Settings().home}"
        sys.exit(failed(full if is_disk_full(error) else reason_of(error), 2))
    sys.exit(0)


def _stop(number: int, _frame: object) -> NoReturn:
    # As an exception it passes through the code that ends child processes.
    sys.exit(128 + number)


def _run(backend: Backend, pipeline: str, version: str, changes: dict[str, Any]) -> None:
    record = backend.run(pipeline, version, changes)
    if record.state == "succeeded":
        say(f"run {record.name} is done already; nothing to do")
    else:
        say(f"run {record.name}")
        try:
            record = backend.wait(record.name)
        except KeyboardInterrupt:
            raise typer.Exit(failed("stopped; the same command goes on from here", 130)) from None
    if record.state != "succeeded":
        raise typer.Exit(failed(record.error or "the run failed", 1))
    report = Settings().home / str(record.report)
    summary = read_json(report.with_suffix(".json")) or {}
    eir = summary.get("metrics", {}).get("EIR")
    typer.echo(f"EIR     {'none' if eir is None else f'{eir:.4f}'}")
    typer.echo(f"model   {summary.get('model', {}).get('path')}")
    typer.echo(f"report  {report}")


def _detector(model: Path | None) -> Detector:
    # onnxruntime takes a second to import.
    from sub_module.engine.infer import load_detector, model_in_use

    return load_detector(model or model_in_use(Settings().home))


def _moment(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))


def _changes(record: RunRecord) -> str:
    return " ".join(f"{key}={value}" for key, value in record.overrides.items())


if __name__ == "__main__":
    main()
