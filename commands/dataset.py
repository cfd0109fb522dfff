"""`dataset`: draw, check and look at annotation sets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from commands.options import ConfigOption
from commands.terminal import bar, say, table
from sub_module.engine.config import load_config
from sub_module.errors import DataError
from sub_module.plates import PlateStandard

app = typer.Typer(help="Draw, check and look at annotation sets.", no_args_is_help=True)


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

    loaded = load_config(config)
    dataset = loaded["dataset"]
    settings = dataset["draw"]
    photos = photos or (settings["photos"] and Path(settings["photos"]))
    with bar("drawing") as progress:
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
    say(f"drawn: {out}")


@app.command("validate")
def validate_dataset(
    directory: Annotated[Path, typer.Argument(help="An annotation set.")],
    config: ConfigOption = "plate_training",
) -> None:
    """Check every image and label file; lists what cannot be used and why."""
    from dataset_tools.annotations import validate

    with bar("checking") as progress:
        problems = validate(directory, _standard(config), progress=progress)
    for problem in problems:
        typer.echo(f"{directory / problem.file}: {problem.reason}")
    if problems:
        files = "1 file" if len(problems) == 1 else f"{len(problems)} files"
        raise DataError(f"{directory}: {files} cannot be used")
    say(f"{directory}: everything can be used")


@app.command("show")
def show_dataset(
    directory: Annotated[Path, typer.Argument(help="An annotation set.")],
    out: Annotated[Path, typer.Option("--out", help="The contact sheet.")] = Path("dataset.png"),
    config: ConfigOption = "plate_training",
) -> None:
    """Figures of an annotation set, and a contact sheet of some of its images."""
    from dataset_tools.show import contact_sheet

    with bar("looking") as progress:
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
    table(["", "number"], rows)
    say(f"contact sheet: {out}")


def _standard(config: str) -> PlateStandard:
    return PlateStandard.from_config(load_config(config)["plates"])
