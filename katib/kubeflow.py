"""A search on a cluster, run by its Katib: begun, followed from here, looked at, stopped."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from rich.console import Console

from cluster.api import AwayError, connect
from cluster.volume import ensure_volume
from katib.display import open_display
from katib.on_cluster import DELETED, Experiments, end_of, may_go_on, state_of
from katib.reading import checked
from katib.search import (
    EDITABLE,
    Outcome,
    Search,
    begin,
    begun_otherwise,
    check_directory,
    conclude,
    difference,
)
from katib.trials import Trial, best_of, write_trial
from sub_module.errors import RunError
from sub_module.settings import Settings

# How often the cluster is asked.
POLL_SECONDS = 5.0
# A control plane that is renewed is away for some minutes; trials go on meanwhile.
_PATIENCE_SECONDS = 300.0
# What a deleted Experiment may take to be gone, with its trials and their pods.
_GONE_SECONDS = 120.0


@dataclass(frozen=True)
class Standing:
    """How a search stands.

    Attributes:
        name: Its Experiment's.
        state: One or two words, such as `running`.
        progress: Trials that were begun, and how many there may be, such as `5 of 20`.
        metric: The objective's name.
        optimal: Katib's optimal trial; None: no trial has a value yet.
        value: Of the objective, as Katib writes it; empty without an optimal trial.
        parameters: Of the optimal trial.
    """

    name: str
    state: str
    progress: str
    metric: str
    optimal: str | None
    value: str
    parameters: Mapping[str, str]


def run_search(search: Search, settings: Settings) -> tuple[list[Trial], bool]:
    """Create the Experiment, or take up the one that is there, and follow it to its end.

    One that is there goes on with the counts that are asked for now. The claim of the volume is
    made when it is not there.

    Args:
        search: What to run; its namespace counts.
        settings: The rest of the connection.

    Returns:
        All trials, and whether the Experiment was still to be followed.

    Raises:
        ClusterError: The cluster cannot be reached, or refuses.
        RunError: Another Experiment has that name, it may not go on, or it failed.
    """
    console = Console(stderr=True)
    namespace = search.experiment.metadata.namespace
    api = connect(settings.model_copy(update={"namespace": namespace}))
    experiments = Experiments(api)
    check_directory(search)
    if search.volume is not None and ensure_volume(api, search.volume):
        _say(console, f"made the claim {search.volume.name}")
    found, made = experiments.create(search.data)
    if not made:
        _take_up(experiments, search, found, console)
    begin(search)
    trials, end, is_new = _follow(experiments, search, console)
    if end["type"] == "Failed":
        reason = end.get("message") or end.get("reason") or "no reason given"
        where = experiments.where_logs_are(search.experiment.name)
        raise RunError(f"experiment {search.experiment.name}: {reason}; {where}")
    return trials, made or is_new


def standings(settings: Settings) -> list[Standing]:
    """How the searches of the namespace stand.

    Raises:
        ClusterError: The cluster cannot be reached, or refuses.
    """
    return [_standing(found) for found in Experiments(connect(settings)).all()]


def look_at(name: str, settings: Settings) -> tuple[Standing, list[Trial]]:
    """How one search stands, and its trials.

    Raises:
        ClusterError: The cluster cannot be reached, refuses, or has no Experiment of that name.
        ConfigError: It is none of a kind that we read.
    """
    experiments = Experiments(connect(settings))
    found = experiments.get(name)
    experiment = checked(found, f"experiment {name}")
    return _standing(found), experiments.trials(experiment)


def stop_search(name: str, settings: Settings) -> tuple[Outcome | None, bool]:
    """End a search: Katib knows no pause, so what was found is written here and it is deleted.

    The records of its trials go to the search's directory, as those of a search on this machine;
    their checkpoints stay on the volume.

    Returns:
        What it found, if any trial has a value; and whether it is gone, which may take longer than
        anyone would wait.

    Raises:
        ClusterError: The cluster cannot be reached, refuses, or has no Experiment of that name.
        ConfigError: It is none of a kind that we read.
        RunError: The search's directory is that of another Experiment.
    """
    experiments = Experiments(connect(settings))
    found = experiments.get(name)
    experiment = checked(found, f"experiment {name}")
    search = Search(found, experiment, settings.home.absolute() / "searches" / name)
    field_name = begun_otherwise(search, has_defaults=True)
    if field_name is not None:
        raise RunError(
            f"{search.folder} is of a search with another {field_name}, and what the cluster's "
            "found would be written there: move it away first"
        )
    trials = experiments.trials(experiment)
    for trial in trials:
        is_cut = trial.state in ("pending", "running")
        write_trial(search.folder, replace(trial, state="killed") if is_cut else trial)
    outcome = conclude(search, trials, is_new=True) if best_of(experiment, trials) else None
    experiments.delete(found)
    give_up = time.monotonic() + _GONE_SECONDS
    while experiments.is_there(found):
        if time.monotonic() > give_up:
            return outcome, False
        time.sleep(POLL_SECONDS)
    return outcome, True


def _take_up(
    experiments: Experiments, search: Search, found: Mapping[str, Any], console: Console
) -> None:
    """See that an Experiment that is there is this one, and let it have the counts of now."""
    name, wanted = search.experiment.name, search.data["spec"]
    namespace = search.experiment.metadata.namespace
    if state_of(found) == DELETED:
        raise RunError(f"experiment {name} is being deleted; try again when it is gone")
    changed = difference(wanted, found["spec"], only_earlier=True)
    if changed is not None:
        raise RunError(
            f"experiment {name} is in namespace {namespace} already, with another {changed}: "
            "give another --name, or delete it: tune-stop"
        )
    counts = {
        count: wanted[count]
        for count in EDITABLE
        if count in wanted and wanted[count] != found["spec"].get(count)
    }
    begun = (found.get("status") or {}).get("trials") or 0
    end = end_of(found)
    # Katib takes no maximum below what was begun, and nothing once another end is reached.
    if not counts or wanted.get("maxTrialCount", begun + 1) <= begun:
        return
    if end is not None:
        if not may_go_on(end):
            return
        policy = found["spec"].get("resumePolicy")
        if policy not in ("LongRunning", "FromVolume"):
            raise RunError(
                f"experiment {name} has ended, and with resumePolicy {policy} it takes no more "
                "trials: give another --name, or tune-stop it and begin anew"
            )
    experiments.change(name, counts)
    told = ", ".join(f"{count} {number}" for count, number in counts.items())
    _say(console, f"experiment {name} goes on with {told}")


def _follow(
    experiments: Experiments, search: Search, console: Console
) -> tuple[list[Trial], Mapping[str, Any], bool]:
    """Show an Experiment's trials until it has ended: they, its end, and whether that took time."""
    display = open_display(search.experiment, console)
    is_new = False
    try:
        while True:
            found, trials = _asked_patiently(experiments, search, console)
            display.show(trials, {})
            if (end := end_of(found)) is not None:
                return trials, end, is_new
            is_new = True
            time.sleep(POLL_SECONDS)
    finally:
        display.close()


def _asked_patiently(
    experiments: Experiments, search: Search, console: Console
) -> tuple[Mapping[str, Any], list[Trial]]:
    """The Experiment and its trials, asked for again while the cluster is away."""
    away_since: float | None = None
    while True:
        try:
            found = experiments.get(search.experiment.name)
            return found, experiments.trials(search.experiment)
        except AwayError as error:
            if away_since is None:
                away_since = time.monotonic()
                _say(console, f"{error}; asking again")
            if time.monotonic() - away_since > _PATIENCE_SECONDS:
                raise
            time.sleep(POLL_SECONDS)


def _standing(found: Mapping[str, Any]) -> Standing:
    spec, status = found["spec"], found.get("status") or {}
    objective = spec.get("objective") or {}
    metric = objective.get("objectiveMetricName", "")
    strategies = {s["name"]: s["value"] for s in objective.get("metricStrategies") or ()}
    best = status.get("currentOptimalTrial") or {}
    observed = (best.get("observation") or {}).get("metrics") or ()
    figures: Mapping[str, str] = next(
        (figure for figure in observed if figure["name"] == metric), {}
    )
    begun, most = status.get("trials") or 0, spec.get("maxTrialCount")
    return Standing(
        found["metadata"]["name"],
        state_of(found),
        str(begun) if most is None else f"{begun} of {most}",
        metric,
        best.get("bestTrialName") or None,
        figures.get(strategies.get(metric, "latest"), ""),
        {p["name"]: p["value"] for p in best.get("parameterAssignments") or ()},
    )


def _say(console: Console, line: str) -> None:
    console.print(line, markup=False, highlight=False, soft_wrap=True)
