"""`tune`: the search over hyperparameters, here or on a cluster."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from commands.options import SetOption
from commands.terminal import failed, say
from sub_module.settings import Settings

if TYPE_CHECKING:
    from katib.search import Search
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
    from katib.trials import objective_of

    wishes = Wishes(
        config, experiment, name, trials, parallel, algorithm, early_stopping, overrides
    )
    here = backend is SearchBackend.LOCAL
    search = prepare(wishes, Settings().home, here)
    try:
        found, is_new = _run_here(search) if here else _run_there(search)
    except KeyboardInterrupt:
        raise typer.Exit(failed("stopped; the same command goes on from here", 130)) from None
    outcome = conclude(search, found, is_new)
    if not is_new:
        say(f"search {search.experiment.name} is done already; nothing to do")
    metric = search.experiment.spec.objective.objective_metric_name
    value = objective_of(search.experiment, outcome.best)
    typer.echo(f"best       {outcome.best.name}  {metric} {value:.4f}")
    for key, chosen in outcome.overrides.items():
        typer.echo(f"           {key}={chosen}")
    typer.echo(f"overrides  {outcome.overrides_file}")
    typer.echo(f"plot       {outcome.picture}")


def _run_here(search: Search) -> tuple[list[Trial], bool]:
    # Optuna takes long to import.
    from katib.local import run_search

    return run_search(search)


def _run_there(search: Search) -> tuple[list[Trial], bool]:
    # Kubernetes' client takes a second to import.
    from katib.kubeflow import run_search

    return run_search(search)
