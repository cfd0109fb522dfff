"""`tensorboard`: curves of trainings, here or on the cluster."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Annotated, Any

import typer

from commands.cluster import cluster_only
from commands.options import BackendOption, ConfigOption, SetOption
from commands.terminal import say
from pipelines.backends import BackendName
from sub_module.engine.config import parse_overrides
from sub_module.errors import ConfigError, PlateflowError, RunError
from sub_module.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the command to the entry point."""
    app.command()(tensorboard)


def tensorboard(
    run: Annotated[str | None, typer.Argument(help="A run; default: all of them.")] = None,
    port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help="Of this machine; default: 6006, here a free one."),
    ] = None,
    backend: BackendOption = BackendName.LOCAL,
    config: ConfigOption = "plate_training",
    overrides: SetOption = [],  # noqa: B006 - Typer reads defaults, nobody changes them
) -> None:
    """Show the curves of trainings in TensorBoard; --config and --set are of the cluster's."""
    settings = Settings()
    changes = parse_overrides(overrides)
    if backend is not BackendName.LOCAL:
        _open_on_cluster(settings, run, port, config, changes)
    elif changes:
        raise cluster_only(next(iter(changes)))
    else:
        _serve(_logs_of(settings.home, run), port)


def _logs_of(home: Path, run: str | None) -> Path:
    runs = home / "runs"
    if run is None:
        if not runs.is_dir():
            raise RunError(f"there is no run in {runs} yet")
        return runs
    if Path(run).name != run or not (runs / run).is_dir():
        raise RunError(f"there is no run {run} in {runs}; see `runs`")
    return runs / run / "train"


def _serve(logs: Path, port: int | None) -> None:
    """TensorBoard until Ctrl-C."""
    # It looks for what can be drawn, which takes a second.
    from tensorboard import program

    board = program.TensorBoard()
    # The faster loading says on every start that it is an experiment.
    options = ["--logdir", str(logs), "--load_fast", "false", "--host", "127.0.0.1"]
    board.configure(argv=["tensorboard", *options, *(["--port", str(port)] if port else [])])
    try:
        url = board.launch()
    except program.TensorBoardServerException as error:
        raise RunError(f"TensorBoard does not start: {_first_line(error.msg)}") from error
    try:
        typer.echo(f"TensorBoard of {logs}: {url} (Ctrl-C ends it)")
        signal.pause()
    except KeyboardInterrupt:
        say("")


def _open_on_cluster(
    settings: Settings, run: str | None, port: int | None, config: str, changes: dict[str, Any]
) -> None:
    from cluster.api import connect
    from cluster.tensorboard import open_board
    from pipelines.registry import checked_name, cluster_settings, split_overrides

    of_run, of_cluster = split_overrides(changes)
    if of_run:
        raise ConfigError(f"{next(iter(of_run))}: tensorboard takes only keys of `cluster`")
    claim = cluster_settings(config, of_cluster).volume.name
    if run is not None:
        run = _directory_of(settings, checked_name("run", run))
    board = open_board(connect(settings), claim, run, port)
    say(f"tensorboard {board.name} {'made' if board.is_new else 'is there already'}; open it with")
    typer.echo(board.commands["wait"])
    typer.echo(board.commands["open"])
    say(f"then it is at {board.url}; it keeps the volume in use until you delete it with")
    typer.echo(board.commands["delete"])


def _directory_of(settings: Settings, run: str) -> str:
    """What a run's directory on the volume is called; of one that nobody knows, its own name."""
    from pipelines.backends.kubeflow.runs import Runs, parameters_of
    from pipelines.backends.kubeflow.server import Server

    try:
        runs = Runs(Server(settings))
        directory = parameters_of(runs.get(runs.find(run).id))["run"]
    except PlateflowError as error:
        say(f"{error}; TensorBoard shows nothing until the volume has runs/{run}/train")
        return run
    return directory or run


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0]
