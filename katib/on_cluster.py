"""Experiments and their trials, as the API server of a cluster with Katib has them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from cluster.api import AwayError, KubernetesApi
from katib.spec import Experiment
from katib.trials import State, Trial
from sub_module.errors import ClusterError

_EXPERIMENTS = {"group": "kubeflow.org", "version": "v1beta1", "plural": "experiments"}
_TRIALS = {**_EXPERIMENTS, "plural": "trials"}
_EXPERIMENT_LABEL, _TRIAL_LABEL = "katib.kubeflow.org/experiment", "katib.kubeflow.org/trial"
_NOT_FOUND = 404
# The state of what is on its way out.
DELETED = "being deleted"
# Katib's word for an end after which it may go on with more trials.
_MAX_TRIALS_REACHED = "ExperimentMaxTrialsReached"
# Of an Experiment's status, the trials that count towards `maxTrialCount`.
_DONE = (
    "trialsSucceeded",
    "trialsFailed",
    "trialsKilled",
    "trialsEarlyStopped",
    "trialMetricsUnavailable",
)
# Katib's conditions of a trial, as they are called here; the latest that holds counts.
_STATES: dict[str, State] = {
    "Created": "pending",
    "Running": "running",
    "Succeeded": "succeeded",
    "EarlyStopped": "early stopped",
    "Failed": "failed",
    "MetricsUnavailable": "metrics unavailable",
    "Killed": "killed",
}


class Experiments:
    """The Experiments of a namespace."""

    def __init__(self, api: KubernetesApi) -> None:
        """Of the connection's namespace."""
        self._api = api

    def create(self, data: Mapping[str, Any]) -> tuple[dict[str, Any], bool]:
        """Create an Experiment, or find the one of that name; and whether it was made now.

        Raises:
            ClusterError: The cluster cannot be reached, or refuses.
        """
        name = data["metadata"]["name"]
        found, made = self._api.create(
            f"experiment {name}",
            self._api.custom.create_namespaced_custom_object,
            self._api.custom.get_namespaced_custom_object,
            name=name,
            body=dict(data),
            **_EXPERIMENTS,
        )
        return found, made

    def get(self, name: str) -> dict[str, Any]:
        """An Experiment with its status.

        Raises:
            ClusterError: There is none of that name (404), or as `create`.
        """
        get = self._api.custom.get_namespaced_custom_object
        found: dict[str, Any] = self._call(f"experiment {name}", get, name=name, **_EXPERIMENTS)
        return found

    def all(self) -> list[dict[str, Any]]:
        """All of them, by name.

        Raises:
            ClusterError: As `create`.
        """
        answer = self._call(
            "experiments", self._api.custom.list_namespaced_custom_object, **_EXPERIMENTS
        )
        return sorted(answer["items"], key=lambda found: str(found["metadata"]["name"]))

    def change(self, name: str, counts: Mapping[str, int]) -> None:
        """Change counts of an Experiment, all that Katib lets be changed.

        Raises:
            ClusterError: As `create`.
        """
        self._call(
            f"experiment {name}",
            self._api.custom.patch_namespaced_custom_object,
            name=name,
            body={"spec": dict(counts)},
            field_validation="Strict",
            **_EXPERIMENTS,
        )

    def delete(self, found: Mapping[str, Any]) -> None:
        """Delete an Experiment and all that belongs to it; the cluster takes a while for it.

        Args:
            found: As `get` gave it; another one that has its name since stays.

        Raises:
            ClusterError: As `create`.
        """
        name, uid = found["metadata"]["name"], found["metadata"]["uid"]
        # Foreground: its name is free once its trials are gone too, which a new one would count.
        options = {"propagationPolicy": "Foreground", "preconditions": {"uid": uid}}
        try:
            self._call(
                f"experiment {name}",
                self._api.custom.delete_namespaced_custom_object,
                name=name,
                body=options,
                **_EXPERIMENTS,
            )
        except AwayError:
            # Its answer may be all that was lost.
            if self.is_there(found) and state_of(self.get(name)) != DELETED:
                raise
        except ClusterError as error:
            if error.status != _NOT_FOUND:
                raise

    def is_there(self, found: Mapping[str, Any]) -> bool:
        """Whether an Experiment is not gone yet.

        Raises:
            ClusterError: As `create`.
        """
        try:
            now = self.get(found["metadata"]["name"])
        except ClusterError as error:
            if error.status != _NOT_FOUND:
                raise
            return False
        return bool(now["metadata"]["uid"] == found["metadata"]["uid"])

    def trials(self, experiment: Experiment) -> list[Trial]:
        """An Experiment's trials, oldest first.

        Raises:
            ClusterError: As `create`.
        """
        answer = self._call(
            f"trials of experiment {experiment.name}",
            self._api.custom.list_namespaced_custom_object,
            label_selector=f"{_EXPERIMENT_LABEL}={experiment.name}",
            **_TRIALS,
        )
        items = sorted(answer["items"], key=lambda item: _started(item) or float("inf"))
        return [_trial(experiment, number, item) for number, item in enumerate(items)]

    def where_logs_are(self, name: str) -> str:
        """A command that shows what an Experiment's trials printed last."""
        # Katib's collector prints it, in a container of its own.
        return (
            f"kubectl -n {self._api.namespace} logs --all-containers --prefix "
            f"-l {_EXPERIMENT_LABEL}={name},{_TRIAL_LABEL}"
        )

    def _call(self, what: str, function: Any, **arguments: Any) -> Any:
        return self._api.call(what, function, namespace=self._api.namespace, **arguments)


def end_of(found: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The condition by which an Experiment has ended; None: it has not."""
    status = found.get("status") or {}
    ended = _held(status, ("Succeeded", "Failed"))
    if ended is not None and may_go_on(ended):
        most = found["spec"].get("maxTrialCount")
        # It was given more trials, and Katib has not looked yet.
        if most is None or sum(status.get(count) or 0 for count in _DONE) < most:
            return None
    return ended


def may_go_on(end: Mapping[str, Any]) -> bool:
    """Whether an Experiment ended only because it had no more trials."""
    return end["type"] == "Succeeded" and end.get("reason") == _MAX_TRIALS_REACHED


def state_of(found: Mapping[str, Any]) -> str:
    """How an Experiment stands, in one or two words."""
    if found["metadata"].get("deletionTimestamp"):
        return DELETED
    conditions = (found.get("status") or {}).get("conditions") or ()
    held = [condition["type"] for condition in conditions if condition["status"] == "True"]
    if "Succeeded" in held and end_of(found) is None:
        return "restarting"
    # Katib puts the latest last.
    return str(held[-1]).lower() if held else "pending"


def _trial(experiment: Experiment, number: int, item: Mapping[str, Any]) -> Trial:
    spec, status = item["spec"], item.get("status") or {}
    condition = _held(status, tuple(_STATES))
    state = _STATES[condition["type"]] if condition else "pending"
    objective = experiment.spec.objective
    metrics = {}
    for metric in (status.get("observation") or {}).get("metrics") or ():
        # Katib keeps min, max and latest, each "unavailable" or a number; one of them counts.
        text = metric.get(objective.strategy_of(metric["name"]), "")
        if _is_number(text):
            metrics[metric["name"]] = [float(text)]
    failed = state in ("failed", "metrics unavailable") and condition is not None
    return Trial(
        item["metadata"]["name"],
        number,
        {p["name"]: p["value"] for p in spec.get("parameterAssignments") or ()},
        state,
        {name: values for name, values in metrics.items() if name in objective.metrics},
        _started(item) or 0.0,
        _seconds(status.get("completionTime")),
        (condition or {}).get("message") if failed else None,
    )


def _held(status: Mapping[str, Any], types: tuple[str, ...]) -> dict[str, Any] | None:
    """The latest condition of some types that holds."""
    held = [
        condition
        for condition in status.get("conditions") or ()
        if condition["type"] in types and condition["status"] == "True"
    ]
    return max(held, key=lambda condition: types.index(condition["type"]), default=None)


def _started(item: Mapping[str, Any]) -> float | None:
    status, metadata = item.get("status") or {}, item["metadata"]
    return _seconds(status.get("startTime") or metadata.get("creationTimestamp"))


def _seconds(text: str | None) -> float | None:
    return None if text is None else datetime.fromisoformat(text).timestamp()


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
