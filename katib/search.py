"""A search from its Experiment to the best parameters, wherever it runs."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from cluster.settings import Volume, cluster_of
from components.parameters import COMPILED
from components.run_config import run_config
from components.user_data import listings
from katib.algorithms import check_algorithms
from katib.command import (
    changed,
    check_keys,
    check_metrics,
    keys_of,
    option_of,
    overrides_of,
    with_config,
    words_of,
)
from katib.experiment import render
from katib.plot import plot
from katib.reading import parse_experiment, read_experiment
from katib.spec import Experiment
from katib.trials import Trial, best_of, objective_of
from sub_module.engine.config import load_config, parse_overrides
from sub_module.errors import ConfigError, RunError
from sub_module.files import write_text
from sub_module.settings import Settings

DEFAULT_CONFIG = "tune_platenet"
# What may differ when a search goes on, as in Katib.
EDITABLE = ("parallelTrialCount", "maxTrialCount", "maxFailedTrialCount")
# The parts of a config that the Experiment itself is made from; all others are its trials'.
_OF_EXPERIMENT = ("search", "cluster")


@dataclass(frozen=True)
class Wishes:
    """What the command line asks for; None: as the config or the Experiment says.

    Attributes:
        config: A pipeline config's name or file.
        file: An Experiment of the user's own; None: rendered from the config's `search`.
        name: Of the search.
        trials: At most so many.
        parallel: So many at a time.
        algorithm: Katib's name.
        early_stopping: Katib's name.
        pairs: `KEY=VALUE` for every trial; keys of `search` change the search itself, and keys of
            `cluster` its pods there.
    """

    config: str | None = None
    file: Path | None = None
    name: str | None = None
    trials: int | None = None
    parallel: int | None = None
    algorithm: str | None = None
    early_stopping: str | None = None
    pairs: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Search:
    """An Experiment that can be run.

    Attributes:
        data: As plain data, for a cluster.
        experiment: What is read of it.
        folder: The search's directory.
        volume: The claim that its trials share; None: an Experiment of the user's own, whose claims
            are the user's too.
    """

    data: Mapping[str, Any]
    experiment: Experiment
    folder: Path
    volume: Volume | None = None


@dataclass(frozen=True)
class Outcome:
    """What a search found.

    Attributes:
        best: The best trial.
        value: Its objective.
        overrides: Config key to value.
        overrides_file: A file of them, for `--overrides`.
        picture: The objective over trials and parameters.
    """

    best: Trial
    value: float
    overrides: Mapping[str, Any]
    overrides_file: Path
    picture: Path


def prepare(wishes: Wishes, home: Path, here: bool) -> Search:
    """Read or render the Experiment and check all of it; writes nothing.

    Args:
        wishes: What is asked for.
        home: Where `searches/` is.
        here: Whether it is to run on this machine.

    Raises:
        ConfigError: Something cannot be used; the message names file and field.
        DataError: Annotations, photographs or weights that trials here need are missing.
    """
    if here:
        for pair in wishes.pairs:
            if _part(pair) == "cluster":
                raise ConfigError(f"--set {pair}: counts with --backend kubeflow only")
    volume = None
    if wishes.file is None:
        data, experiment, volume = _rendered(wishes, here)
        origin = f"config {wishes.config or DEFAULT_CONFIG}"
    else:
        data, experiment = _of_file(wishes, wishes.file)
        origin = str(wishes.file)
    try:
        check_algorithms(experiment, here)
        config = option_of(words_of(experiment), "--config")
        if config in (None, COMPILED):
            config = wishes.config or DEFAULT_CONFIG
        of_trials = check_keys(experiment, config)
        check_metrics(experiment, of_trials, here)
        if here:
            listings(of_trials, home)
    except ConfigError as error:
        raise ConfigError(f"{origin}: {error}") from error
    folder = home.absolute() / "searches" / experiment.name
    return Search(data, experiment, folder, volume)


def check_directory(search: Search) -> None:
    """See that the search's directory is not that of another Experiment.

    Raises:
        RunError: It is.
    """
    field_name = begun_otherwise(search)
    if field_name is not None:
        raise RunError(
            f"search {search.experiment.name} was begun with another {field_name}: give another "
            f"--name, or delete {search.folder}"
        )


def begun_otherwise(search: Search, has_defaults: bool = False) -> str | None:
    """The first field in which the directory's Experiment is another; None: it is this one.

    Args:
        search: The search.
        has_defaults: Whether its Experiment comes from a cluster, which fills in what is not said.
    """
    file = search.folder / "experiment.yaml"
    if not file.is_file():
        return None
    earlier, _ = read_experiment(file)
    return difference(earlier["spec"], search.data["spec"], only_earlier=has_defaults)


def begin(search: Search) -> None:
    """Put the Experiment into the search's directory."""
    text = yaml.safe_dump(dict(search.data), sort_keys=False, width=100, allow_unicode=True)
    write_text(search.folder / "experiment.yaml", text)


def conclude(search: Search, trials: Sequence[Trial], is_new: bool) -> Outcome:
    """Write the override file and the picture; those of a search that was done already stay.

    Raises:
        RunError: No trial has a value.
    """
    experiment = search.experiment
    best = best_of(experiment, trials)
    value = None if best is None else objective_of(experiment, best)
    if best is None or value is None:
        raise RunError(f"search {experiment.name}: no trial has a value of the objective")
    overrides = overrides_of(keys_of(experiment), best.parameters)
    metric = experiment.spec.objective.objective_metric_name
    file, picture = search.folder / "best.yaml", search.folder / "search.png"
    if not is_new and file.is_file() and picture.is_file():
        return Outcome(best, value, overrides, file, picture)
    comment = f"# {best.name}: {metric} {value:.4f}\n"
    write_text(file, comment + yaml.safe_dump(overrides, sort_keys=False))
    plot(experiment, trials, picture)
    return Outcome(best, value, overrides, file, picture)


def _rendered(wishes: Wishes, here: bool) -> tuple[dict[str, Any], Experiment, Volume]:
    config = wishes.config or DEFAULT_CONFIG
    asked = {
        "search.name": wishes.name,
        "search.max_trials": wishes.trials,
        "search.parallel_trials": wishes.parallel,
        "search.algorithm": wishes.algorithm,
        "search.early_stopping": wishes.early_stopping,
    }
    of_search = [pair for pair in wishes.pairs if _part(pair) in _OF_EXPERIMENT]
    options = {key: value for key, value in asked.items() if value is not None}
    overrides = {**parse_overrides(of_search), **options}
    data, experiment = parse_experiment(render(config, overrides), f"config {config}: search")
    of_trials = [pair for pair in wishes.pairs if pair not in of_search]
    if of_trials:
        data = changed(data, experiment, None, None, of_trials)
    if not here and Path(config).suffix:
        # A file of the user's is not in the image.
        data = with_config(data, Experiment.model_validate(data), run_config(config))
    volume = cluster_of(load_config(config, overrides)).volume
    return data, Experiment.model_validate(data), volume


def _of_file(wishes: Wishes, file: Path) -> tuple[dict[str, Any], Experiment]:
    for pair in wishes.pairs:
        if (part := _part(pair)) in _OF_EXPERIMENT:
            raise ConfigError(
                f"--set {pair}: --experiment reads no `{part}` of a config; edit {file}"
            )
    data, experiment = read_experiment(file)
    data["metadata"].setdefault("namespace", Settings().namespace)
    try:
        data = changed(data, experiment, wishes.config, wishes.name, wishes.pairs)
    except ConfigError as error:
        raise ConfigError(f"{file}: {error}") from error
    spec = data["spec"]
    if wishes.trials is not None:
        spec["maxTrialCount"] = wishes.trials
        for count in ("parallelTrialCount", "maxFailedTrialCount"):
            if count in spec:
                spec[count] = min(spec[count], wishes.trials)
    if wishes.parallel is not None:
        spec["parallelTrialCount"] = wishes.parallel
    if wishes.algorithm is not None and wishes.algorithm != spec["algorithm"]["algorithmName"]:
        # Settings of another algorithm mean nothing to this one.
        spec["algorithm"] = {"algorithmName": wishes.algorithm}
    if wishes.early_stopping is not None:
        spec["earlyStopping"] = {"algorithmName": wishes.early_stopping}
    return parse_experiment(yaml.safe_dump(data), file)


def _part(pair: str) -> str:
    """The part of the config that a pair is about, such as `search`."""
    return pair.partition("=")[0].strip().split(".")[0]


def difference(
    earlier: Mapping[str, Any], now: Mapping[str, Any], only_earlier: bool = False
) -> str | None:
    """The first field of a spec that a search cannot change on its way; None: there is none.

    Args:
        earlier: A spec.
        now: Another.
        only_earlier: Do not look at fields that only `now` has: a cluster adds its defaults.
    """
    for name in earlier if only_earlier else {**earlier, **now}:
        if name not in EDITABLE and not _same(earlier.get(name), now.get(name), only_earlier):
            return f"spec.{name}"
    return None


def _same(earlier: Any, now: Any, only_earlier: bool) -> bool:
    if only_earlier and isinstance(earlier, dict) and isinstance(now, dict):
        return all(_same(earlier[name], now.get(name), True) for name in earlier)
    if only_earlier and isinstance(earlier, list) and isinstance(now, list):
        return len(earlier) <= len(now) and all(map(_same, earlier, now, itertools.repeat(True)))
    return bool(earlier == now)
