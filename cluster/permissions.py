"""Every call that Plateflow makes to a cluster's API server, and what for.

The Roles in serving/manifests allow exactly these.
"""

from __future__ import annotations

from dataclasses import dataclass

_KATIB, _PIPELINES = "kubeflow.org", "pipelines.kubeflow.org"
_TENSORBOARD, _KSERVE = "tensorboard.kubeflow.org", "serving.kserve.io"
# The name, with its port's, of the service that Kubeflow Pipelines' API has.
PIPELINES_SERVICE = "ml-pipeline:http"
# Of the gateway that Istio, and Kubeflow with it, has: its namespace and its name.
GATEWAY_NAMESPACE, GATEWAY_SERVICE = "istio-system", "istio-ingressgateway"


@dataclass(frozen=True)
class Permission:
    """A call that needs to be allowed.

    Attributes:
        verb: As Kubernetes' authorization has it, such as `list`.
        group: Of the resource; empty: the core's.
        resource: In the plural, a subresource behind a slash: `pods/log`.
        why: What cannot be done without it.
        name: Of the only object that it is needed for; None: of all.
    """

    verb: str
    group: str
    resource: str
    why: str
    name: str | None = None

    @property
    def where(self) -> str:
        """The resource as people write it, such as `secrets plateflow`."""
        resource = f"{self.resource}.{self.group}" if self.group else self.resource
        return f"{resource} {self.name or ''}".rstrip()


def of_submitter(namespace: str, secret: str | None) -> tuple[Permission, ...]:
    """What commands ask of the namespace; the Role `plateflow`.

    Args:
        namespace: That of the runs.
        secret: The one that steps get as environment; None: there is none.
    """
    claims, logs, searches, boards = (
        "persistentvolumeclaims",
        "logs of steps",
        "searches",
        "tensorboard",
    )
    of_secrets = (
        Permission("get", "", "secrets", "the secret", secret),
        Permission("create", "", "secrets", "the secret"),
        Permission("update", "", "secrets", "the secret", secret),
    )
    return (
        Permission("get", "", "namespaces", "doctor", namespace),
        Permission("get", "", claims, "the volume"),
        Permission("create", "", claims, "the volume"),
        *(of_secrets if secret is not None else ()),
        Permission("list", "", "pods", logs),
        Permission("get", "", "pods/log", logs),
        *(
            Permission(verb, _KATIB, "experiments", searches)
            for verb in ("get", "list", "create", "patch", "delete")
        ),
        Permission("list", _KATIB, "trials", searches),
        Permission("get", _TENSORBOARD, "tensorboards", boards),
        Permission("create", _TENSORBOARD, "tensorboards", boards),
        *(
            Permission(verb, _KSERVE, "inferenceservices", "the model server")
            for verb in ("get", "create", "update")
        ),
    )


def of_pipelines() -> tuple[Permission, ...]:
    """What Kubeflow Pipelines for several users asks the cluster; the Role `plateflow-pipelines`.

    Nobody calls these: with them it asks whether its caller may do what it was asked for.
    """
    verbs = {
        "pipelines": ("get", "list", "create", "delete"),
        "experiments": ("list", "create", "delete"),
        "runs": ("get", "list", "create", "delete", "terminate"),
        "jobs": ("list", "create", "delete", "enable", "disable"),
    }
    why = {"jobs": "schedules", "experiments": "runs"}
    return tuple(
        Permission(verb, _PIPELINES, resource, why.get(resource, resource))
        for resource, those in verbs.items()
        for verb in those
    )


def of_login(service_account: str) -> tuple[Permission, ...]:
    """For a login as a service account, from outside of the cluster; the Role `plateflow-login`."""
    return (Permission("create", "", "serviceaccounts/token", "the login", service_account),)


def of_proxy() -> tuple[Permission, ...]:
    """For Kubeflow Pipelines without a host, in its namespace; the Role `plateflow-proxy`."""
    return tuple(
        Permission(verb, "", "services/proxy", "Kubeflow Pipelines", PIPELINES_SERVICE)
        for verb in ("get", "create", "delete")
    )


def of_gateway() -> tuple[Permission, ...]:
    """For the way to model servers, in the gateway's namespace; the Role `plateflow-gateway`."""
    return (Permission("get", "", "services", "predict", GATEWAY_SERVICE),)


def of_nodes() -> tuple[Permission, ...]:
    """Of the whole cluster; the ClusterRole `plateflow-nodes`. Only doctor misses it."""
    return (Permission("list", "", "nodes", "doctor"),)
