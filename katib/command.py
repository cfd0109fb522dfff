"""A trial's command: found in the Experiment, filled with values, and changed as the user asks."""

from __future__ import annotations

import itertools
import re
import shlex
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any, cast

from components.parameters import COMPILED, CONFIG_VARIABLE, as_variable
from components.run_config import run_config
from katib.spec import Experiment
from sub_module.engine.config import load_config, parse_overrides
from sub_module.engine.train_settings import METRICS
from sub_module.errors import ConfigError
from sub_module.models.reader import Networks, build_reader
from sub_module.plates import PlateStandard

_CONTAINERS = ("spec", "template", "spec", "containers")
_WHERE = "spec.trialTemplate.trialSpec"
_PLACEHOLDER = re.compile(r"\$\{trialParameters\.(.+?)\}")
_OURS = "katib.trial"


def primary_container(experiment: Experiment) -> dict[str, Any]:
    """The container that trains, of the Experiment's own data.

    Raises:
        ConfigError: The trial is no Job with that container, or has no command.
    """
    template = experiment.spec.trial_template
    if template.trial_spec is None:
        raise ConfigError("spec.trialTemplate.trialSpec is missing; a configMap is not read")
    kind = f"{template.trial_spec.get('apiVersion')} {template.trial_spec.get('kind')}"
    if kind != "batch/v1 Job":
        raise ConfigError(f"{_WHERE}.kind: expected a batch/v1 Job, not {kind}")
    found: Any = template.trial_spec
    for key in _CONTAINERS:
        found = found.get(key) if isinstance(found, dict) else None
    for container in found if isinstance(found, list) else []:
        if isinstance(container, dict) and container.get("name") == template.primary_container_name:
            if not container.get("command"):
                raise ConfigError(f"{_WHERE}: container {container['name']} has no command")
            return container
    raise ConfigError(
        f"spec.trialTemplate.primaryContainerName: {_WHERE} has no container "
        f"{template.primary_container_name}"
    )


def shell_text(container: Mapping[str, Any]) -> str:
    """The command as text for a shell; Katib joins words in the same way, without quotes."""
    words = [str(word) for word in [*container["command"], *container.get("args", ())]]
    return " ".join(words[2:] if words[0] in ("sh", "bash") and words[1:2] == ["-c"] else words)


def words_of(experiment: Experiment) -> list[str]:
    """The command's words, with the placeholders as they stand.

    Raises:
        ConfigError: As `primary_container` says, or quotes do not match.
    """
    try:
        return shlex.split(shell_text(primary_container(experiment)))
    except ValueError as error:
        raise ConfigError(f"{_WHERE}: the command cannot be read: {error}") from error


def option_of(words: list[str], option: str) -> str | None:
    """The value that follows an option; None: it is not there."""
    if option in words[:-1]:
        return words[words.index(option) + 1]
    return None


def keys_of(experiment: Experiment) -> dict[str, str]:
    """The config key that each parameter fills, by `--set KEY=${trialParameters.NAME}`.

    Raises:
        ConfigError: A parameter fills none, or the command names an unknown one.
    """
    template, names = experiment.spec.trial_template, [p.name for p in experiment.spec.parameters]
    references = {parameter.name: parameter for parameter in template.trial_parameters}
    for index, parameter in enumerate(template.trial_parameters):
        if parameter.meta is None and parameter.reference not in names:
            raise ConfigError(
                f"spec.trialTemplate.trialParameters.{index}.reference: "
                f"{parameter.reference!r} is no parameter of spec.parameters"
            )
    words, keys = words_of(experiment), {}
    for word in words:
        for name in _PLACEHOLDER.findall(word):
            if name not in references:
                raise ConfigError(f"{_WHERE}: no trialParameters entry for {name!r}")
    for option, word in itertools.pairwise(words):
        key, _, value = word.partition("=")
        placeholder = _PLACEHOLDER.fullmatch(value)
        if option == "--set" and placeholder:
            keys[references[placeholder[1]].reference] = key
    for index, name in enumerate(names):
        if name not in keys:
            raise ConfigError(
                f"spec.parameters.{index}: {name} fills no config field: the trial's command has "
                f"no `--set KEY=${{trialParameters.…}}` for it"
            )
    return {name: keys[name] for name in names}


def check_keys(experiment: Experiment, config: str) -> dict[str, Any]:
    """See that a config takes what the command sets, and every value that parameters may have.

    Returns:
        The config with what the command sets for all trials.

    Raises:
        ConfigError: It does not; the message names the parameter.
    """
    words, keys = words_of(experiment), keys_of(experiment)
    pairs = [word for option, word in itertools.pairwise(words) if option == "--set"]
    fixed = parse_overrides([pair for pair in pairs if not _PLACEHOLDER.search(pair)])
    # Read once: a config is a program.
    loaded = load_config(config)
    of_trials = run_config(loaded, fixed)
    for index, parameter in enumerate(experiment.spec.parameters):
        name = parameter.name
        for value in parameter.tried():
            try:
                run_config(loaded, {**fixed, **overrides_of({name: keys[name]}, {name: value})})
            except ConfigError as error:
                raise ConfigError(
                    f"spec.parameters.{index}: {name}={value} does not fit config {config}: {error}"
                ) from error
    return of_trials


def check_metrics(experiment: Experiment, config: Mapping[str, Any], here: bool) -> None:
    """See that trials will report the objective, as far as that can be told before any is run.

    Args:
        experiment: The Experiment.
        config: Of the trials.
        here: Whether they run on this machine.

    Raises:
        ConfigError: The collector is not known here, or the trial's command is `katib.trial`, which
            does not print such a metric.
    """
    collector = experiment.spec.metrics_collector_spec.collector.kind
    if here and collector != "StdOut":
        raise ConfigError(
            f"spec.metricsCollectorSpec.collector.kind: {collector} runs on a cluster only; known "
            "here: StdOut"
        )
    if _OURS not in words_of(experiment):
        return
    objective = experiment.spec.objective
    for metric in objective.metrics:
        if metric not in METRICS:
            raise ConfigError(
                f"spec.objective: {_OURS} prints no metric {metric!r}; known: {', '.join(METRICS)}"
            )
    if objective.objective_metric_name == "dv_mAP" and not _has_masks(config):
        raise ConfigError(
            "spec.objective.objectiveMetricName: dv_mAP needs masks, which the model has not"
        )


def _has_masks(config: Mapping[str, Any]) -> bool:
    try:
        standard = PlateStandard.from_config(config["plates"])
        # It is asked, and never reads.
        return build_reader(config["model"], standard, cast(Networks, None)).has_masks
    except (KeyError, TypeError, ValueError):
        # A model that does not fit its config; the training says what is wrong.
        return True


def overrides_of(keys: Mapping[str, str], values: Mapping[str, str]) -> dict[str, Any]:
    """Config keys to what the values of parameters mean there."""
    return parse_overrides([f"{keys[name]}={value}" for name, value in values.items()])


def filled(experiment: Experiment, trial: str, values: Mapping[str, str]) -> str:
    """The shell text of one trial."""
    text = shell_text(primary_container(experiment))
    meta = {"Name": trial, "Namespace": experiment.metadata.namespace}
    for parameter in experiment.spec.trial_template.trial_parameters:
        value = meta[parameter.meta] if parameter.meta else values[parameter.reference]
        text = text.replace(f"${{trialParameters.{parameter.name}}}", value)
    return text


def environment_of(experiment: Experiment, trial: str, home: Path) -> dict[str, str]:
    """The container's environment, with this machine's home for the cluster's."""
    named = {
        str(variable["name"]): str(variable["value"])
        for variable in primary_container(experiment).get("env", ())
        if "value" in variable
    }
    return {**named, "PLATEFLOW_HOME": str(home), "KATIB_TRIAL_NAME": trial}


def changed(
    data: Mapping[str, Any],
    experiment: Experiment,
    config: str | None,
    name: str | None,
    pairs: list[str],
) -> dict[str, Any]:
    """An Experiment's data with another config, name or `--set` for all of its trials.

    Raises:
        ConfigError: The trial's command is not `katib.trial`, which alone takes a config and pairs.
    """
    changed_data = deepcopy(dict(data))
    if name is not None:
        changed_data["metadata"]["name"] = name
    words = words_of(experiment)
    if _OURS not in words:
        if pairs:
            raise ConfigError(f"{_WHERE}: the command is not {_OURS}, which alone takes --set")
        return changed_data
    for option, value in (("--config", config), ("--search", name)):
        if value is not None and option in words[:-1]:
            words[words.index(option) + 1] = value
    for pair in pairs:
        words += ["--set", pair]
    container = _container_in(changed_data, experiment)
    container["command"] = ["sh", "-c", shlex.join(words)]
    container.pop("args", None)
    return changed_data


def with_config(
    data: Mapping[str, Any], experiment: Experiment, config: Mapping[str, Any]
) -> dict[str, Any]:
    """An Experiment's data whose trials, `katib.trial`, carry their config with them."""
    changed_data = changed(data, experiment, COMPILED, None, [])
    variable = {"name": CONFIG_VARIABLE, "value": as_variable(config)}
    _container_in(changed_data, experiment).setdefault("env", []).append(variable)
    return changed_data


def _container_in(data: Mapping[str, Any], experiment: Experiment) -> dict[str, Any]:
    """The container that trains, where it stands in the data; `primary_container` found it."""
    found = data["spec"]["trialTemplate"]["trialSpec"]
    for key in _CONTAINERS:
        found = found[key]
    name = experiment.spec.trial_template.primary_container_name
    container: dict[str, Any] = next(each for each in found if each["name"] == name)
    return container
