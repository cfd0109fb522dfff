"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipelines.backends import BackendName

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
