"""Plateflow's command line: `python pipeline_utils.py --help`, installed also as `plateflow`."""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from components.run_config import run_config
from pipelines.backends import Backend, BackendName, open_backend
from pipelines.registry import make_package, needs_upload
from pipelines.runs import RunRecord
from sub_module.engine.config import load_config, parse_overrides
from sub_module.errors import DataError, ModelError, PlateflowError, RunError
from sub_module.files import is_disk_full, read_json, reason_of
from sub_module.plates import PlateStandard
from sub_module.progress import Progress
from sub_module.settings import Settings

if TYPE_CHECKING:
    from sub_module.engine.infer import Detector

app = typer.Typer(
    help="From photographs to number plate readings.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
dataset_app = typer.Typer(help="Draw, check and look at annotation sets.", no_args_is_help=True)
app.add_typer(dataset_app, name="dataset")

ConfigOption = Annotated[
    str, typer.Option("--config", help="A pipeline config: its name, or a .py or .json file.")
]
NameOption = Annotated[
    str | None, typer.Option("--name", help="The pipeline in the registry; default: the config's.")
]
VersionOption = Annotated[
    str | None, typer.Option("--version", help="Default: a hash of what is uploaded.")
]
RunUploadedOption = Annotated[
    bool,
    typer.Option(
        "--run-uploaded/--no-run-uploaded",
        help="Run a version that is uploaded already as it was uploaded, or refuse.",
    ),
]
SetOption = Annotated[
    list[str], typer.Option("--set", metavar="KEY=VALUE", help="Change a config key; repeatable.")
]
BackendOption = Annotated[BackendName, typer.Option("--backend", help="Where pipelines run.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]
ModelOption = Annotated[
    Path | None,
    typer.Option("--model", help="A checkpoint or a model directory; default: the one in use."),
]


@app.command()
def upload_and_run(
    config: ConfigOption = "plate_training",
    name: NameOption = None,
    version: VersionOption = None,
    overrides: SetOption = [],  # noqa: B006 - Typer reads defaults, nobody changes them
    run_uploaded: RunUploadedOption = True,
    backend: BackendOption = BackendName.LOCAL,
) -> None:
    """Upload the pipeline and run it: photographs to a model in use and a report."""
    changes = parse_overrides(overrides)
    package = make_package(config, name, version)
    # Before anything is uploaded; a run checks them again, against the uploaded config.
    run_config(config, changes)
    where = open_backend(backend, Settings())
    present = {found.version: found for found in where.versions(package.pipeline)}
    uploaded = present.get(package.version)
    if needs_upload(package, uploaded is not None, run_uploaded):
        where.upload(package)
        _say(f"uploaded {package.pipeline}/{package.version}")
    elif uploaded and uploaded.content != package.content:
        _say(
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
    backend: BackendOption = BackendName.LOCAL,
) -> None:
    """Run an uploaded version."""
    changes = parse_overrides(overrides)
    where = open_backend(backend, Settings())
    pipeline = name or "plate_training"
    uploaded = where.versions(pipeline)
    if version is None and not uploaded:
        raise RunError(f"pipeline {pipeline} is not uploaded; upload it first")
    _run(where, pipeline, version or uploaded[-1].version, changes)


@app.command()
def versions(name: NameOption = None, backend: BackendOption = BackendName.LOCAL) -> None:
    """List the uploaded versions."""
    rows = [
        [f"{found.pipeline}/{found.version}", found.content, _moment(found.uploaded)]
        for found in open_backend(backend, Settings()).versions(name)
    ]
    _table(["version", "content", "uploaded"], rows)


@app.command()
def runs(backend: BackendOption = BackendName.LOCAL) -> None:
    """List the runs."""
    rows = [
        [record.name, record.state, _moment(record.started), _changes(record), record.error or ""]
        for record in open_backend(backend, Settings()).runs()
    ]
    _table(["run", "state", "started", "changes", "error"], rows)


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
    _say(f"deleted {target}")


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
    with _bar("evaluating") as progress:
        scores = evaluate_labelled(detector, directory, progress)
    if as_json:
        typer.echo(json.dumps(scores, indent=2))
    else:
        rows = [
            # Only dv_mAP can be missing.
            [name, "none (no masks)" if value is None else f"{value:.4g}"]
            for name, value in scores.items()
        ]
        _table(["figure", "value"], rows)


@dataset_app.command()
def draw(
    out: Annotated[Path, typer.Argument(help="A directory that does not exist yet.")],
    images: Annotated[int | None, typer.Option(help="Default: the config's.")] = None,
    seed: Annotated[int | None, typer.Option(help="Default: the config's.")] = None,
    photos: Annotated[
        Path | None, typer.Option(help="Background photographs; default: scikit-image's.")
    ] = None,
    config: ConfigOption = "plate_training",
) -> None:
    """Draw an annotation set: plates on photographs."""
    from dataset_tools.draw import draw_dataset

    loaded = load_config(config)
    dataset = loaded["dataset"]
    settings = dataset["draw"]
    photos = photos or (settings["photos"] and Path(settings["photos"]))
    with _bar("drawing") as progress:
        draw_dataset(
            out,
            settings["num_images"] if images is None else images,
            settings["seed"] if seed is None else seed,
            PlateStandard.from_config(loaded["plates"]),
            settings,
            dataset["split"],
            photos,
            progress=progress,
        )
    _say(f"drawn: {out}")


@dataset_app.command("validate")
def validate_dataset(
    directory: Annotated[Path, typer.Argument(help="An annotation set.")],
    config: ConfigOption = "plate_training",
) -> None:
    """Check every image and label file; lists what cannot be used and why."""
    from dataset_tools.annotations import validate

    with _bar("checking") as progress:
        problems = validate(directory, _standard(config), progress=progress)
    for problem in problems:
        typer.echo(f"{directory / problem.file}: {problem.reason}")
    if problems:
        files = "1 file" if len(problems) == 1 else f"{len(problems)} files"
        raise DataError(f"{directory}: {files} cannot be used")
    _say(f"{directory}: everything can be used")


@dataset_app.command("show")
def show_dataset(
    directory: Annotated[Path, typer.Argument(help="An annotation set.")],
    out: Annotated[Path, typer.Option("--out", help="The contact sheet.")] = Path("dataset.png"),
    config: ConfigOption = "plate_training",
) -> None:
    """Figures of an annotation set, and a contact sheet of some of its images."""
    from dataset_tools.show import contact_sheet

    with _bar("looking") as progress:
        summary = contact_sheet(directory, out, _standard(config), progress=progress)
    widths = " to ".join(f"{width:.0f}" for width in (summary.plate_widths_px or ())[::2])
    rows = [
        ["images", str(summary.num_images)],
        ["  without a plate", str(summary.num_empty)],
        ["plates", str(summary.num_plates)],
        ["  width", f"{widths} px" if widths else ""],
        ["unusable files", str(len(summary.problems))],
        *([label, str(count)] for label, count in summary.class_counts.items()),
    ]
    _table(["", "number"], rows)
    _say(f"contact sheet: {out}")


def main() -> NoReturn:
    """Run the command line; a user's mistake is one line and exit code 2."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)
    try:
        app()
    except PlateflowError as error:
        sys.exit(_failed(str(error), 2))
    except OSError as error:
        full = f"the disk is full: {error.filename or Settings().home}"
        sys.exit(_failed(full if is_disk_full(error) else reason_of(error), 2))
    sys.exit(0)


def _stop(number: int, _frame: object) -> NoReturn:
    # As an exception it passes through the code that ends child processes.
    sys.exit(128 + number)


def _run(backend: Backend, pipeline: str, version: str, changes: dict[str, Any]) -> None:
    record = backend.run(pipeline, version, changes)
    if record.state == "succeeded":
        _say(f"run {record.name} is done already; nothing to do")
    else:
        _say(f"run {record.name}")
        try:
            record = backend.wait(record.name)
        except KeyboardInterrupt:
            raise typer.Exit(_failed("stopped; the same command goes on from here", 130)) from None
    if record.state != "succeeded":
        raise typer.Exit(_failed(record.error or "the run failed", 1))
    report = Settings().home / str(record.report)
    summary = read_json(report.with_suffix(".json")) or {}
    eir = summary.get("metrics", {}).get("EIR")
    typer.echo(f"EIR     {'none' if eir is None else f'{eir:.4f}'}")
    typer.echo(f"model   {summary.get('model', {}).get('path')}")
    typer.echo(f"report  {report}")


def _detector(model: Path | None) -> Detector:
    path = model or Settings().home / "models" / "current"
    if model is None and not path.exists():
        raise ModelError(f"no model is in use in {Settings().home}; run a pipeline or give --model")
    # torch takes seconds to import.
    from sub_module.engine.infer import load_detector

    return load_detector(path)


def _standard(config: str) -> PlateStandard:
    return PlateStandard.from_config(load_config(config)["plates"])


@contextmanager
def _bar(label: str) -> Iterator[Progress]:
    """A progress bar on the terminal; nothing where there is none."""
    from rich.console import Console
    from rich.progress import Progress as Bar

    console = Console(stderr=True)
    with Bar(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(label, total=None)

        def progress(done: int, total: int, text: str = "") -> None:
            bar.update(task, completed=done, total=total, description=f"{label} {text}".rstrip())

        yield progress


def _table(header: list[str], rows: list[list[str]]) -> None:
    """Columns in plain text, for eyes and for `cut`."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    for row in [header, *rows]:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        typer.echo("  ".join(cells).rstrip())


def _moment(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))


def _changes(record: RunRecord) -> str:
    return " ".join(f"{key}={value}" for key, value in record.overrides.items())


def _say(text: str) -> None:
    typer.echo(text, err=True)


def _failed(text: str, code: int) -> int:
    _say(f"error: {text}")
    return code


if __name__ == "__main__":
    main()
