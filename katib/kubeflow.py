"""An Experiment on a cluster, run by its Katib and followed from here."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

from kubernetes import client, config
from kubernetes.config.config_exception import ConfigException
from rich.console import Console
from urllib3.exceptions import HTTPError

from katib.display import open_display
from katib.search import Search, begin, check_directory, difference
from katib.spec import Experiment
from katib.trials import State, Trial
from sub_module.errors import RunError

_GROUP, _VERSION = "kubeflow.org", "v1beta1"
_EXPERIMENT_LABEL = "katib.kubeflow.org/experiment"
_POLL_SECONDS = 5.0
_TIMEOUT_SECONDS = 30.0
# A control plane that is renewed is away for some minutes; trials go on meanwhile.
_PATIENCE_SECONDS = 300.0
_CONFLICT = 409
_AWAY = (429, 500, 502, 503, 504)
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


class _AwayError(RunError):
    """The cluster does not answer now, but may soon."""


def run_search(search: Search, poll_seconds: float = _POLL_SECONDS) -> tuple[list[Trial], bool]:
    """Create the Experiment, or take up the one that is there, and follow it to its end.

    Args:
        search: What to run.
        poll_seconds: How often the cluster is asked.

    Returns:
        All trials, and whether the Experiment was still to be followed.

    Raises:
        RunError: The cluster cannot be reached, refuses, or the Experiment failed.
    """
    cluster = _Cluster(search.experiment)
    check_directory(search)
    created = cluster.create(search)
    begin(search)
    console = Console(stderr=True)
    display = open_display(search.experiment, console)
    is_new = created
    try:
        while True:
            status, trials = _asked_patiently(cluster, console, poll_seconds)
            display.show(trials, {})
            if (condition := _held(status, ("Succeeded", "Failed"))) is not None:
                break
            is_new = True
            time.sleep(poll_seconds)
    finally:
        display.close()
    if condition["type"] == "Failed":
        reason = condition.get("message") or condition.get("reason") or "no reason given"
        raise RunError(f"experiment {search.experiment.name}: {reason}; {cluster.where_logs_are()}")
    return trials, is_new


def _asked_patiently(
    cluster: _Cluster, console: Console, poll_seconds: float
) -> tuple[Mapping[str, Any], list[Trial]]:
    """The Experiment's status and trials, asked for again while the cluster is away."""
    away_since: float | None = None
    while True:
        try:
            return cluster.status(), cluster.trials()
        except _AwayError as error:
            if away_since is None:
                away_since = time.monotonic()
                line = f"{error}; asking again"
                console.print(line, markup=False, highlight=False, soft_wrap=True)
            if time.monotonic() - away_since > _PATIENCE_SECONDS:
                raise
            time.sleep(poll_seconds)


class _Cluster:
    """The API server's Experiments and Trials of one name."""

    def __init__(self, experiment: Experiment) -> None:
        _find_cluster()
        settings = client.Configuration.get_default_copy()
        # A cluster that is not there is told at once.
        settings.retries = False
        self._host = settings.host
        self._api = client.CustomObjectsApi(client.ApiClient(settings))
        self._name, self._namespace = experiment.name, experiment.metadata.namespace
        self._experiment = experiment

    def create(self, search: Search) -> bool:
        """Create the Experiment; False: the same one is there already."""
        try:
            self._call(
                self._api.create_namespaced_custom_object,
                plural="experiments",
                body=dict(search.data),
                field_validation="Strict",
            )
        except client.ApiException as error:
            if error.status != _CONFLICT:
                raise self._refused(error) from error
        else:
            return True
        present = self._get()["spec"]
        changed = difference(search.data["spec"], present, only_earlier=True)
        if changed is not None:
            raise RunError(
                f"experiment {self._name} is in namespace {self._namespace} already, with another "
                f"{changed}: give another --name, or delete it"
            )
        return False

    def status(self) -> Mapping[str, Any]:
        """The Experiment's status."""
        return self._get().get("status") or {}

    def trials(self) -> list[Trial]:
        """Its trials, oldest first."""
        answer = self._asked(
            self._api.list_namespaced_custom_object,
            plural="trials",
            label_selector=f"{_EXPERIMENT_LABEL}={self._name}",
        )
        items = sorted(answer["items"], key=lambda item: _started(item) or float("inf"))
        return [self._trial(number, item) for number, item in enumerate(items)]

    def where_logs_are(self) -> str:
        """A command that shows them."""
        return f"kubectl -n {self._namespace} logs -l {_EXPERIMENT_LABEL}={self._name}"

    def _get(self) -> dict[str, Any]:
        return self._asked(
            self._api.get_namespaced_custom_object, plural="experiments", name=self._name
        )

    def _asked(self, call: Callable[..., Any], **arguments: Any) -> dict[str, Any]:
        try:
            return self._call(call, **arguments)
        except client.ApiException as error:
            raise self._refused(error) from error

    def _call(self, call: Callable[..., Any], **arguments: Any) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = call(
                _GROUP,
                _VERSION,
                self._namespace,
                **arguments,
                _request_timeout=_TIMEOUT_SECONDS,
            )
        except HTTPError as error:
            reason = str(error).rsplit(": ", 1)[-1]
            raise _AwayError(
                f"--backend kubeflow: the cluster at {self._host} cannot be reached: {reason}"
            ) from error
        return answer

    def _refused(self, error: client.ApiException) -> RunError:
        message = str(error.body or error.reason)
        with suppress(ValueError, KeyError, TypeError):
            message = json.loads(message)["message"]
        first = message.splitlines()[0] if message else error.reason
        kind = _AwayError if error.status in _AWAY else RunError
        return kind(f"experiment {self._name}: the cluster says {error.status}: {first}")

    def _trial(self, number: int, item: Mapping[str, Any]) -> Trial:
        spec, status = item["spec"], item.get("status") or {}
        condition = _held(status, tuple(_STATES))
        state = _STATES[condition["type"]] if condition else "pending"
        objective = self._experiment.spec.objective
        metrics = {}
        for metric in (status.get("observation") or {}).get("metrics", ()):
            # Katib keeps min, max and latest, each "unavailable" or a number; one of them counts.
            text = metric.get(objective.strategy_of(metric["name"]), "")
            if _is_number(text):
                metrics[metric["name"]] = [float(text)]
        failed = state in ("failed", "metrics unavailable") and condition is not None
        return Trial(
            item["metadata"]["name"],
            number,
            {p["name"]: p["value"] for p in spec.get("parameterAssignments", ())},
            state,
            {name: values for name, values in metrics.items() if name in objective.metrics},
            _started(item) or 0.0,
            _seconds(status.get("completionTime")),
            (condition or {}).get("message") if failed else None,
        )


def _find_cluster() -> None:
    """Take up the user's kubeconfig; without one, the account of the pod that this runs in."""
    try:
        # `config.load_config` prints, and reads the variable at import.
        config.load_kube_config(config_file=os.environ.get("KUBECONFIG"))
    except ConfigException as error:
        try:
            config.load_incluster_config()
        except ConfigException:
            reason = str(error).splitlines()[0]
            raise RunError(f"--backend kubeflow: no cluster is configured: {reason}") from error


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
