"""`dataset`: draw, check and look at annotation sets."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer

from commands.options import (
    ConfigOption,
    JsonOption,
    ModelOption,
    PrecisionOption,
    StandardOption,
)
from commands.terminal import bar, say, table
from sub_module.engine.config import load_pipeline_config
from sub_module.errors import ConfigError, DataError
from sub_module.plates import PlateStandard
from sub_module.progress import Progress
from sub_module.settings import Settings

app = typer.Typer(help="Draw, check and look at annotation sets.", no_args_is_help=True)
# What a version or its tag may be called; the rest can only be a path.
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@app.command()
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

    dataset, standard, photos = _drawing(config, photos)
    settings = dataset["draw"]
    with bar("drawing") as progress:
        draw_dataset(
            out,
            settings["num_images"] if images is None else images,
            settings["seed"] if seed is None else seed,
            standard,
            settings,
            dataset["split"],
            photos,
            progress=progress,
        )
    say(f"drawn: {out}")


@app.command("draw-traps")
def draw_trap_set(
    out: Annotated[Path, typer.Argument(help="A directory that does not exist yet.")],
    num: Annotated[int, typer.Option(help="Images, of all kinds together.")] = 500,
    seed: Annotated[int, typer.Option(help="Of every choice made.")] = 1,
    photos: Annotated[
        Path | None, typer.Option(help="Background photographs; default: scikit-image's.")
    ] = None,
    config: ConfigOption = "plate_training",
) -> None:
    """Draw images that a reader must not fall for: no plate, none that could be read, or ten."""
    from dataset_tools.draw.traps.trap_set import draw_traps

    dataset, standard, photos = _drawing(config, photos)
    with bar("drawing") as progress:
        traps = draw_traps(out, num, seed, standard, dataset["draw"], photos, progress)
    for kind, number in Counter(trap.kind for trap in traps).items():
        say(f"{kind}: {number}")
    say(f"drawn: {out}")


@app.command("try-traps")
def try_traps(
    directory: Annotated[Path, typer.Argument(help="What `dataset draw-traps` drew.")],
    model: ModelOption = None,
    standard: StandardOption = None,
    precision: PrecisionOption = "float32",
    as_json: JsonOption = False,
) -> None:
    """How often a model falls for traps: its false readings, kind by kind."""
    from dataset_tools.draw.traps.trap_set import false_readings, load_traps
    from sub_module.datasets.coco import load_image
    from sub_module.engine.shipped import open_detector

    traps = load_traps(directory)
    detector = open_detector(Settings().home, model, standard, precision)
    images, caught, false = Counter[str](), Counter[str](), Counter[str]()
    with bar("reading") as progress:
        for number, trap in enumerate(traps, 1):
            (readings,) = detector.predict([load_image(directory / trap.file)])
            wrong = false_readings(trap, [reading.text for reading in readings])
            images[trap.kind] += 1
            caught[trap.kind] += bool(wrong)
            false[trap.kind] += len(wrong)
            progress(number, len(traps), trap.file)
    kinds = [*images, "all"]
    for counts in (images, caught, false):
        counts["all"] = counts.total()
    if as_json:
        columns = ("images", images), ("with_false_readings", caught), ("false_readings", false)
        typer.echo(json.dumps({k: {name: c[k] for name, c in columns} for k in kinds}, indent=2))
    else:
        rows = [[kind, str(images[kind]), str(caught[kind]), str(false[kind])] for kind in kinds]
        table(["kind", "images", "with a false reading", "false readings"], rows)


@app.command("validate")
def validate_dataset(
    directory: Annotated[Path, typer.Argument(help="An annotation set.")],
    config: ConfigOption = "plate_training",
) -> None:
    """Check every image and label file; lists what cannot be used and why."""
    from dataset_tools.validation import validate

    with bar("checking") as progress:
        found = validate(directory, _standard(config), progress=progress)
    for problem in found.problems:
        typer.echo(f"{directory / problem.file}: {problem.reason}")
    if found.unreviewed:
        say(f"{_files(len(found.unreviewed))} not reviewed yet, such as {found.unreviewed[0]}")
    if found.problems:
        raise DataError(f"{directory}: {_files(found.num_rejected)} cannot be used")
    say(f"{directory}: everything can be used")


@app.command("show")
def show_dataset(
    source: Annotated[
        str | None, typer.Argument(help="An annotation set: a directory or a version.")
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", help="A contact sheet .png, or a page .html with charts too.")
    ] = Path("dataset.png"),
    effects: Annotated[
        str | None,
        typer.Option(
            metavar="CONFIG",
            help="In place of a set, show what a pipeline config draws with: each of its steps, "
            "one scene without and with it.",
        ),
    ] = None,
    config: ConfigOption = "plate_training",
) -> None:
    """Figures of an annotation set, and a contact sheet of some of its images."""
    from dataset_tools.show import check_suffix, show_set

    if (source is None) == (effects is None):
        raise ConfigError("name an annotation set, or a config with --effects CONFIG")
    if source is None:
        _show_effects(str(effects), out)
        return

    # Before a version is fetched.
    check_suffix(out)
    standard = _standard(config)
    with bar("looking") as progress, _directory_of(source, progress) as (directory, name):
        summary = show_set(directory, out, standard, progress=progress, name=name)
    widths = " to ".join(f"{width:.0f}" for width in (summary.plate_widths_px or ())[::2])
    rows = [
        ["images", str(summary.num_images)],
        ["  without a plate", str(summary.num_empty)],
        ["plates", str(summary.num_plates)],
        ["  width", f"{widths} px" if widths else ""],
        ["unusable files", str(summary.num_rejected)],
        *([label, str(count)] for label, count in summary.class_counts.items()),
    ]
    table(["", "number"], rows)
    say(f"{'page' if out.suffix.lower() == '.html' else 'contact sheet'}: {out}")


def _show_effects(config: str, out: Path) -> None:
    """The contact sheet of a config's drawing steps, and their list."""
    from dataset_tools.show_effects import show_effects

    dataset, standard, photos = _drawing(config)
    with bar("drawing") as progress:
        steps = show_effects(out, dataset["draw"], standard, photos, progress=progress)
    table(["step", "of", "how often"], [[step.name, step.of, step.often] for step in steps])
    say(f"contact sheet: {out}")


def _drawing(
    config: str, photos: Path | None = None
) -> tuple[dict[str, Any], PlateStandard, Path | None]:
    """`dataset` of a config, its plates, and the photographs: those given, else the config's."""
    from dataset_tools.draw.settings import check_settings

    loaded = load_pipeline_config(config, "dataset.draw", "dataset.split", "plates")
    dataset, standard = loaded["dataset"], PlateStandard.from_config(loaded["plates"])
    check_settings(dataset["draw"], standard)
    named = dataset["draw"]["photos"]
    return dataset, standard, photos or (Path(named) if named else None)


@contextmanager
def _directory_of(source: str, progress: Progress) -> Iterator[tuple[Path, str | None]]:
    """The directory of an annotation set; of a version, a fetched one that goes again, and its tag.

    What is there as a file or directory is never taken for a version.
    """
    if Path(source).exists() or not _VERSION.fullmatch(source):
        yield Path(source), None
        return
    from dataset_tools.versions import DataSets, Kind

    settings = Settings()
    data_sets = DataSets(settings)
    try:
        version = data_sets.find(source)
    except DataError as error:
        raise DataError(f"{source}: no such directory, and {error}") from error
    if version.kind != Kind.ANNOTATIONS:
        raise DataError(f"{version.tag} is a training set; show the annotation set that it is of")
    # In the home: there the files can be those of the cache and take no room.
    with TemporaryDirectory(prefix=".show.", suffix=".partial", dir=settings.home) as folder:
        data_sets.pull(version.tag, Path(folder, "set"), editable=False, progress=progress)
        yield Path(folder, "set"), version.tag


def _files(number: int) -> str:
    return "1 file" if number == 1 else f"{number} files"


def _standard(config: str) -> PlateStandard:
    return PlateStandard.from_config(load_pipeline_config(config, "plates")["plates"])
