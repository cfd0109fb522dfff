"""Options that several commands have."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from pipelines.backends import BackendName


class CodePlace(StrEnum):
    """Whose code the steps of a cluster run."""

    IMAGE = "image"
    VOLUME = "volume"


class Kind(StrEnum):
    """What there is to delete."""

    RUN = "run"
    VERSION = "version"
    PIPELINE = "pipeline"
    EXPERIMENT = "experiment"


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
CodeOption = Annotated[
    CodePlace,
    typer.Option(
        "--code",
        help="On a cluster, the code that steps run: their image's, or this work tree's, which "
        "goes to the volume with all its changes.",
    ),
]
WaitOption = Annotated[
    bool,
    typer.Option(
        "--wait/--no-wait", help="On a cluster: follow the run to its end, or only start it."
    ),
]
TimeoutOption = Annotated[
    float | None,
    typer.Option(
        "--timeout",
        metavar="MINUTES",
        min=0,
        help="Follow the run no longer; on a cluster it goes on, here it is stopped.",
    ),
]
KindOption = Annotated[
    Kind | None,
    typer.Option("--kind", help="What TARGET is; default: a version with a slash, else a run."),
]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]
OverridesOption = Annotated[
    Path | None,
    typer.Option(
        "--overrides",
        metavar="FILE",
        help="A YAML or JSON file of config keys and values, such as a search's best.yaml; "
        "--set wins over it.",
    ),
]
ModelOption = Annotated[
    Path | None,
    typer.Option(
        "--model",
        help="A checkpoint or a model directory; default: the deployed one, else the one that "
        "comes with Plateflow.",
    ),
]
StandardOption = Annotated[
    str | None,
    typer.Option(
        "--standard",
        metavar="NAME|FILE",
        help="The plates to read: the name of a plate standard (kr, eu, br), or a file with one; "
        "default: those that the model was trained for.",
    ),
]
PrecisionOption = Annotated[
    str,
    typer.Option(
        help="Of an exported model: float32; where it has them, int8 or float16; or auto, the "
        "fastest that it has."
    ),
]
