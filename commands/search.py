"""`tune`: the search over hyperparameters, here or on a cluster; and the searches of a cluster."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from commands.options import SetOption, YesOption
from commands.terminal import failed, say, table
from sub_module.settings import Settings

if TYPE_CHECKING:
    from katib.kubeflow import Standing
    from katib.search import Outcome, Search
    from katib.trials import Trial


class SearchBackend(StrEnum):
    """Where trials run."""

    LOCAL = "local"
    KUBEFLOW = "kubeflow"


def tune(
    backend: Annotated[
        SearchBackend,
        typer.Option("--backend", help="This machine with Optuna, or a cluster's Katib."),
    ] = SearchBackend.LOCAL,
    config: Annotated[
        str | None,
        typer.Option("--config", help="A config with a `search`; default: tune_platenet."),
    ] = None,
    experiment: Annotated[
        Path | None,
        typer.Option("--experiment", metavar="FILE", help="A Katib Experiment of your own."),
    ] = None,
    trials: Annotated[int | None, typer.Option("--trials", min=1, help="At most so many.")] = None,
    parallel: Annotated[
        int | None, typer.Option("--parallel", min=1, help="So many at a time.")
    ] = None,
    algorithm: Annotated[
        str | None, typer.Option("--algorithm", help="random, grid, tpe, hyperband, ...")
    ] = None,
    early_stopping: Annotated[
        str | None, typer.Option("--early-stopping", help="medianstop")
    ] = None,
    overrides: SetOption = [],  # noqa: B006 - Typer reads defaults, nobody changes them
    name: Annotated[
        str | None, typer.Option("--name", help="Of the search; default: the config's.")
    ] = None,
) -> None:
    """Search hyperparameters; the best come out as a file for `upload-and-run --overrides`."""
    # Only this command needs them.
    from katib.search import Wishes, conclude, prepare

    wishes = Wishes(
        config, experiment, name, trials, parallel, algorithm, early_stopping, overrides
    )
    here = backend is SearchBackend.LOCAL
    search = prepare(wishes, Settings().home, here)
    try:
        found, is_new = _run_here(search) if here else _run_there(search)
    except KeyboardInterrupt:
        raise typer.Exit(failed(_interrupted(search, here), 130)) from None
    outcome = conclude(search, found, is_new)
    if not is_new:
        say(f"search {search.experiment.name} is done already; nothing to do")
    _print_outcome(search.experiment.spec.objective.objective_metric_name, outcome)


def tune_status(
    name: Annotated[str | None, typer.Argument(help="A search; default: list them all.")] = None,
) -> None:
    """Show the searches on the cluster, or one with its trials and the optimal one."""
    # Kubernetes' client takes a second to import.
    from katib.kubeflow import look_at, standings

    if name is None:
        rows = [
            [found.name, found.state, found.progress, found.optimal or "", _figure(found)]
            for found in standings(Settings())
        ]
        table(["search", "state", "trials", "optimal", "value"], rows)
        return
    standing, trials = look_at(name, Settings())
    names = list(dict.fromkeys(key for trial in trials for key in trial.parameters))
    metrics = list(dict.fromkeys(metric for trial in trials for metric in trial.metrics))
    rows = [
        [trial.name, trial.state]
        + [trial.parameters.get(key, "") for key in names]
        + [
            f"{trial.metrics[metric][0]:.4f}" if metric in trial.metrics else ""
            for metric in metrics
        ]
        for trial in trials
    ]
    table(["trial", "state", *names, *metrics], rows)
    typer.echo(f"state      {standing.state}, {standing.progress} trials")
    typer.echo(f"optimal    {standing.optimal or 'none yet'}  {_figure(standing)}".rstrip())
    for key, value in standing.parameters.items():
        typer.echo(f"           {key}={value}")


def tune_stop(
    name: Annotated[str, typer.Argument(help="A search on the cluster.")],
    yes: YesOption = False,
) -> None:
    """End a search on the cluster: keep here what it found, then delete its Experiment."""
    from katib.kubeflow import look_at, stop_search

    standing, _ = look_at(name, Settings())
    if not yes:
        what = f"search {name} ({standing.state}, {standing.progress} trials)"
        typer.confirm(f"Stop {what}? Trials that run now are lost.", abort=True, err=True)
    outcome, is_gone = stop_search(name, Settings())
    say(f"stopped {name}" if is_gone else f"stopped {name}; the cluster is still removing it")
    if outcome is not None:
        _print_outcome(standing.metric, outcome)


def register(app: typer.Typer) -> None:
    """Add the commands to the entry point."""
    for command in (tune, tune_status, tune_stop):
        app.command()(command)


def _run_here(search: Search) -> tuple[list[Trial], bool]:
    # Optuna takes long to import.
    from katib.local import run_search

    return run_search(search)


def _run_there(search: Search) -> tuple[list[Trial], bool]:
    from katib.kubeflow import run_search

    return run_search(search, Settings())


def _interrupted(search: Search, here: bool) -> str:
    if here:
        return "stopped; the same command goes on from here"
    name = search.experiment.name
    return (
        f"search {name} goes on on the cluster: the same command follows it, `tune-stop {name}` "
        "ends it"
    )


def _figure(standing: Standing) -> str:
    return f"{standing.metric} {standing.value}" if standing.value else ""


def _print_outcome(metric: str, outcome: Outcome) -> None:
    typer.echo(f"best       {outcome.best.name}  {metric} {outcome.value:.4f}")
    for key, chosen in outcome.overrides.items():
        typer.echo(f"           {key}={chosen}")
    typer.echo(f"overrides  {outcome.overrides_file}")
    typer.echo(f"plot       {outcome.picture}")
