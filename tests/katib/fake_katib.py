"""Katib on the emulated cluster: its webhook, and its controllers, which play trials.

Each look at an Experiment is one turn of the controllers: what runs ends, and what may begin
begins. Written after Katib's source of June 2026 (validator.go, experiment_controller.go,
status_util.go).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.servers.kubernetes import Kubernetes
from tests.servers.kubernetes_http import Answer, Asked
from tests.servers.kubernetes_objects import Object, Problem, patched

_LABEL = "katib.kubeflow.org/experiment"
_FINALIZER = "update-prometheus-metrics"
_EDITABLE = ("parallelTrialCount", "maxTrialCount", "maxFailedTrialCount")
_RESTARTABLE = "ExperimentMaxTrialsReached"
_UNAVAILABLE = "unavailable"


class Katib(Kubernetes):
    """A cluster with Katib.

    Attributes:
        asleep: Turns that the controllers leave out from now on.
    """

    def __init__(self, folder: Path, value: Callable[[dict[str, str]], float | None]) -> None:
        """`value` gives a trial's mAP from its parameters; None: the trial fails."""
        super().__init__(folder)
        self.asleep = 0
        self._value = value
        self.on_read("experiments", self._turn)

    def answer(self, asked: Asked) -> Answer:
        """As the API server, behind Katib's webhook."""
        if asked.resource.plural != "experiments":
            return super().answer(asked)
        if asked.verb == "create":
            asked = asked._replace(body=_with_defaults(asked.body))
        if asked.verb == "patch" and asked.key in self._objects:
            old = self._objects[asked.key]
            _check_change(old, patched(asked.content_type, asked.resource, old, asked.body))
        return super().answer(asked)

    def turn(self, name: str) -> None:
        """One turn of the controllers for an Experiment."""
        self._turn(self.get("experiments", name))

    def _turn(self, found: Object) -> None:
        if self.asleep:
            self.asleep -= 1
            return
        spec, status = found["spec"], found.setdefault("status", {})
        trials = self._trials(found)
        if found["metadata"].get("deletionTimestamp"):
            # The controller's finalizer, then the garbage collector.
            for trial in trials:
                self.remove("trials", trial["metadata"]["name"])
            self.remove("experiments", found["metadata"]["name"])
            return
        if not status.get("conditions"):
            found["metadata"]["finalizers"] = [_FINALIZER]
            status["conditions"] = [_condition("Created")]
        elif end := _end(status):
            if not _is_restartable(found) or spec["maxTrialCount"] <= status["trials"]:
                return
            status["conditions"].remove(end)
            _set(status, "Restarting")
        else:
            self._end_trials(trials, spec["objective"])
            _sum_up(found, trials)
            if not _end(status):
                self._begin_trials(found, trials)
                _sum_up(found, self._trials(found))
        self.put(found)

    def _trials(self, experiment: Object) -> list[Object]:
        name = experiment["metadata"]["name"]
        return [t for t in self.objects("trials") if t["metadata"]["labels"][_LABEL] == name]

    def _begin_trials(self, experiment: Object, trials: list[Object]) -> None:
        spec, name = experiment["spec"], experiment["metadata"]["name"]
        wanted = min(spec["maxTrialCount"], len(trials) + spec["parallelTrialCount"])
        for number in range(len(trials), wanted):
            spaces = {p["name"]: p["feasibleSpace"]["list"] for p in spec["parameters"]}
            values = {key: space[number % len(space)] for key, space in spaces.items()}
            labels = {**experiment["metadata"].get("labels", {}), _LABEL: name}
            self.put(
                {
                    "apiVersion": "kubeflow.org/v1beta1",
                    "kind": "Trial",
                    "metadata": {"name": f"{name}-x{number}", "labels": labels},
                    "spec": {
                        "parameterAssignments": [
                            {"name": key, "value": value} for key, value in values.items()
                        ]
                    },
                    "status": {
                        "startTime": f"2026-11-21T10:{number:02d}:00Z",
                        "completionTime": None,
                        "conditions": [_condition("Created"), _condition("Running")],
                    },
                }
            )

    def _end_trials(self, trials: list[Object], objective: Object) -> None:
        for trial in trials:
            status = trial["status"]
            if status.get("completionTime") is not None:
                continue
            status["completionTime"] = status["startTime"].replace(":00Z", ":30Z")
            status["conditions"][1]["status"] = "False"
            values = {p["name"]: p["value"] for p in trial["spec"]["parameterAssignments"]}
            value = self._value(values)
            if value is None:
                failure = _condition("Failed", message="Job has reached the limit")
                status["conditions"].append(failure)
            else:
                status["conditions"].append(_condition("Succeeded"))
                status["observation"] = {"metrics": _metrics(value, objective)}
            self.put(trial)


@contextmanager
def serve_katib(folder: Path, value: Callable[[dict[str, str]], float | None]) -> Iterator[Katib]:
    """The cluster while the block runs; `folder` gets its kubeconfig."""
    server = Katib(folder, value)
    try:
        yield server
    finally:
        server.close()


def _with_defaults(experiment: Object) -> Object:
    """What Katib's first webhook fills in."""
    filled = copy.deepcopy(experiment)
    spec = filled["spec"]
    spec.setdefault("resumePolicy", "Never")
    spec["trialTemplate"].setdefault("successCondition", "status.conditions.#(type==Complete)")
    spec["trialTemplate"].setdefault("failureCondition", "status.conditions.#(type==Failed)")
    for parameter in spec["parameters"]:
        parameter["feasibleSpace"].setdefault("distribution", "uniform")
    return filled


def _check_change(old: Object, new: Object) -> None:
    """What Katib's second webhook refuses."""
    if new["spec"] == old["spec"]:
        return
    status, most = old.get("status", {}), new["spec"]["maxTrialCount"]
    if _end(status) and not _is_restartable(old):
        raise _denied(
            "spec.resumePolicy: Invalid value: Experiment can be restarted if it is in succeeded "
            "state by reaching max trials and spec.resumePolicy = LongRunning or FromVolume"
        )
    if most <= status.get("trials", 0):
        raise _denied(
            f"spec.maxTrialCount: Invalid value: {most}: must be greater than status.trials count"
        )
    for count in ("parallelTrialCount", "maxFailedTrialCount"):
        if new["spec"][count] > most:
            raise _denied(f"spec.{count}: should be less than or equal to spec.maxTrialCount")
    if {**new["spec"], **{count: old["spec"].get(count) for count in _EDITABLE}} != old["spec"]:
        raise _denied(f"spec: Forbidden: only {', '.join(_EDITABLE)} are editable")


def _denied(why: str) -> Problem:
    webhook = "validator.experiment.katib.kubeflow.org"
    return Problem(400, "BadRequest", f'admission webhook "{webhook}" denied the request: {why}')


def _metrics(value: float, objective: Object) -> list[dict[str, str]]:
    """Of whatever is asked for; dv_mAP is never there."""
    figures = {
        "mAP": {"min": "0.1", "max": str(value), "latest": "0.2"},
        "EIR": {"min": "0.3", "max": "0.5", "latest": "0.4"},
        "dv_mAP": {"min": "0", "max": _UNAVAILABLE, "latest": "0.5"},
    }
    names = (objective["objectiveMetricName"], *objective.get("additionalMetricNames", ()))
    return [{"name": name, **figures[name]} for name in names]


def _sum_up(experiment: Object, trials: list[Object]) -> None:
    """Counts, the optimal trial, and whether the Experiment has ended."""
    spec, status = experiment["spec"], experiment["status"]
    done = [trial for trial in trials if "observation" in trial["status"]]
    failed = [t for t in trials if _holds(t["status"], "Failed")]
    status["trials"], status["trialsSucceeded"] = len(trials), len(done)
    status["trialsFailed"] = len(failed)
    status["trialsRunning"] = len(trials) - len(done) - len(failed)
    # Katib writes it before there is one, too.
    status["currentOptimalTrial"] = {"observation": {}}
    if done:
        best = max(
            done, key=lambda trial: float(trial["status"]["observation"]["metrics"][0]["max"])
        )
        status["currentOptimalTrial"] = {
            "bestTrialName": best["metadata"]["name"],
            "parameterAssignments": best["spec"]["parameterAssignments"],
            "observation": best["status"]["observation"],
        }
        if _value_of(best) >= spec["objective"].get("goal", float("inf")):
            _complete(status, "Succeeded", "ExperimentGoalReached", "objective goal has reached")
            return
    if failed and len(failed) >= spec["maxFailedTrialCount"]:
        _complete(status, "Failed", "ExperimentFailed", "max failed count has reached")
    elif len(done) + len(failed) >= spec["maxTrialCount"]:
        _complete(status, "Succeeded", _RESTARTABLE, "max trial count has reached")
    else:
        _set(status, "Running")


def _value_of(trial: Object) -> float:
    return float(trial["status"]["observation"]["metrics"][0]["max"])


def _complete(status: Object, kind: str, reason: str, why: str) -> None:
    for condition in status["conditions"]:
        if condition["type"] == "Running":
            condition["status"] = "False"
    _set(status, kind, reason, f"Experiment has {kind.lower()} because {why}")


def _is_restartable(experiment: Object) -> bool:
    end = _end(experiment["status"])
    return (
        end is not None
        and end["reason"] == _RESTARTABLE
        and experiment["spec"]["resumePolicy"] in ("LongRunning", "FromVolume")
    )


def _end(status: Object) -> dict[str, str] | None:
    for condition in status.get("conditions", ()):
        if condition["type"] in ("Succeeded", "Failed"):
            found: dict[str, str] = condition
            return found
    return None


def _holds(status: Object, kind: str) -> bool:
    return any(c["type"] == kind and c["status"] == "True" for c in status["conditions"])


def _set(status: Object, kind: str, reason: str = "", message: str = "") -> None:
    """The condition, as the latest."""
    others = [c for c in status["conditions"] if c["type"] != kind]
    status["conditions"] = [*others, _condition(kind, reason, message)]


def _condition(kind: str, reason: str = "", message: str = "") -> dict[str, Any]:
    return {"type": kind, "status": "True", "reason": reason, "message": message}
