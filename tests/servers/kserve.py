"""What KServe's controller, Knative and a cluster's nodes make of an InferenceService.

After KServe 0.20's source: revisions and their traffic, a canary's Deployment, conditions, pods.
"""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, field
from typing import Any

from tests.servers.kubernetes import NAMESPACE, Kubernetes
from tests.servers.kubernetes_objects import Object

# Scaling is none of a revision's pods; that of a canary is of the route.
_NOT_OF_PODS = ("minReplicas", "maxReplicas", "scaleMetric", "scaleTarget", "canaryTrafficPercent")


@dataclass
class KServe:
    """A controller that looks at a service each time that somebody else does.

    Attributes:
        kubernetes: Where it looks.
        num_reads: A pod is ready when it was looked at so often.
        broken: Reason in which the container of a model's pods waits, by the model's URL.
        traffic: Per cent by model's URL, each time that it looked.
    """

    kubernetes: Kubernetes
    num_reads: int = 2
    broken: dict[str, str] = field(default_factory=dict)
    traffic: list[dict[str, int]] = field(default_factory=list)
    _ages: dict[str, int] = field(default_factory=dict)
    _revisions: list[tuple[str, str]] = field(default_factory=list)
    _rolled_out: str = ""

    def __post_init__(self) -> None:
        """Begin to look."""
        self.kubernetes.on_read("inferenceservices", self.reconcile)

    def reconcile(self, service: Object) -> None:
        """One look."""
        is_standard = (
            service["metadata"]["annotations"]["serving.kserve.io/deploymentMode"] == "Standard"
        )
        predictor = service["spec"]["predictor"]
        canaries = [each["predictor"] for each in service["spec"].get("canary", ())]
        for pod in self.kubernetes.objects("pods"):
            self.kubernetes.remove("pods", pod["metadata"]["name"])
        for each in (predictor, *canaries):
            self._run_pods(service, each)
        status = self._standard(service) if is_standard else self._knative(service)
        self.kubernetes.put({**service, "status": status})

    def _run_pods(self, service: Object, predictor: Object) -> None:
        model, (container,) = _model(predictor), predictor["containers"]
        key = _template(service, predictor)
        self._ages[key] = self._ages.get(key, 0) + 1
        is_ready = self._is_ready(key, model)
        name = f"{service['metadata']['name']}-{predictor['labels']['plateflow/release']}"
        waiting = {"reason": self.broken.get(model, "ContainerCreating")}
        for number in range(max(predictor.get("minReplicas", 1), 1)):
            self.kubernetes.put(
                {
                    "apiVersion": "v1",
                    "kind": "Pod",
                    "metadata": {
                        "name": f"{name}-{number}",
                        "labels": {
                            **predictor["labels"],
                            "serving.kserve.io/inferenceservice": service["metadata"]["name"],
                        },
                    },
                    "spec": {"containers": [{"name": container["name"], "image": "image"}]},
                    "status": {
                        "conditions": [{"type": "Ready", "status": str(is_ready)}],
                        "containerStatuses": [
                            {
                                "name": container["name"],
                                "image": container["image"],
                                "imageID": "",
                                "ready": is_ready,
                                "restartCount": 0,
                                "state": {"running": {}} if is_ready else {"waiting": waiting},
                            }
                        ],
                    },
                }
            )

    def _is_ready(self, template: str, model: str) -> bool:
        return self._ages.get(template, 0) >= self.num_reads and model not in self.broken

    def _standard(self, service: Object) -> Object:
        stable = service["spec"]["predictor"]
        shares = {_model(stable): 100}
        is_ready = self._is_ready(_template(service, stable), _model(stable))
        canaries = []
        for each in service["spec"].get("canary", ()):
            model = _model(each["predictor"])
            can = self._is_ready(_template(service, each["predictor"]), model)
            if can:
                shares[model] = each["trafficPercent"]
                shares[_model(stable)] -= each["trafficPercent"]
            canaries.append({"name": each["predictor"]["name"], "ready": can, **_percent(each)})
        self.traffic.append(shares)
        conditions = {"PredictorReady": is_ready, "IngressReady": is_ready}
        if canaries:
            conditions["CanaryPredictorReady"] = all(each["ready"] for each in canaries)
        return _status(service, conditions, {"url": _url(service)}, canaryStatuses=canaries)

    def _knative(self, service: Object) -> Object:
        predictor = service["spec"]["predictor"]
        template, model = _template(service, predictor), _model(predictor)
        if not self._revisions or self._revisions[-1][0] != template:
            self._revisions.append((template, model))
            self._ages[template] = 1
        names = [f"revision-{number}" for number in range(len(self._revisions))]
        ready = [
            name
            for name, (made_of, of) in zip(names, self._revisions, strict=True)
            if self._is_ready(made_of, of)
        ]
        latest = ready[-1] if ready else ""
        percent = predictor.get("canaryTrafficPercent")
        if percent is None or not self._rolled_out:
            percent = 100
            self._rolled_out = latest or self._rolled_out
        shares: dict[str, int] = {}
        for name, share in ((latest, percent), (self._rolled_out, 100 - percent)):
            if name and share:
                of = self._revisions[names.index(name)][1]
                shares[of] = shares.get(of, 0) + share
        self.traffic.append(shares)
        component = {
            "latestCreatedRevision": names[-1],
            "latestReadyRevision": latest,
            "latestRolledoutRevision": self._rolled_out,
            "url": _url(service),
        }
        # Of the revision that is ready, whichever: stale while a new one starts.
        conditions = {"PredictorReady": bool(ready), "IngressReady": bool(ready)}
        return _status(service, conditions, component)


def _status(service: Object, conditions: dict[str, bool], component: Object, **more: Any) -> Object:
    conditions = {**conditions, "Ready": all(conditions.values())}
    url = {"url": _url(service)} if conditions["Ready"] else {}
    return {
        "conditions": [
            {"type": kind, "status": str(is_so), "reason": "" if is_so else "MinimumReplicas"}
            for kind, is_so in conditions.items()
        ],
        "components": {"predictor": component},
        **url,
        **({"address": {"url": "http://inside.svc.cluster.local"}} if url else {}),
        **more,
    }


def _url(service: Object) -> str:
    return f"http://{service['metadata']['name']}.{NAMESPACE}.example.com"


def _percent(canary: Object) -> Object:
    return {"trafficPercent": canary["trafficPercent"]}


def _model(predictor: Object) -> str:
    (container,) = predictor["containers"]
    (url,) = (each["value"] for each in container["env"] if each["name"] == "STORAGE_URI")
    return str(url)


def _template(service: Object, predictor: Object) -> str:
    """What a pod is made of: one that changes starts all anew, as do KServe's annotations."""
    own = copy.deepcopy(predictor)
    for key in _NOT_OF_PODS:
        own.pop(key, None)
    return json.dumps([service["metadata"]["annotations"], own], sort_keys=True)
