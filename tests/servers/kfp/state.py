"""What all handlers share: the tables, who may do what, and one request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.servers.kfp.answers import RefusedError, invalid
from tests.servers.kfp.play import Play, Progress
from tests.servers.kfp.rows import Clock, Experiment, Pipeline, Schedule, Version
from tests.servers.kfp.run import Run

# Where the server itself runs.
SERVER_NAMESPACE = "kubeflow"


@dataclass(frozen=True)
class Request:
    """One request that fits the swagger.

    Attributes:
        path: What the path names, such as `run_id`.
        file: Name and content of an upload.
    """

    path: Mapping[str, str]
    query: Mapping[str, str]
    body: Any
    file: tuple[str, bytes] | None = None


@dataclass
class State:
    """Everything that the server keeps.

    Attributes:
        version: What the server says that it is.
        multi_user: Namespaces belong to users, as `namespaces` says.
        namespaces: Those that the user may use; all others are refused.
        play: How runs go on that are created from now on.
        executes: A directory that stands for the volume: runs are run for real there. None: they
            go as `play` says.
        secret: What the secret gives to the tasks' environment.
    """

    folder: Path
    multi_user: bool = False
    namespaces: set[str] = field(default_factory=lambda: {"plateflow"})
    play: Play = field(default_factory=Play)
    executes: Path | None = None
    secret: dict[str, str] = field(default_factory=dict)
    version: str = "2.17.0"
    clock: Clock = field(default_factory=Clock)
    pipelines: dict[str, Pipeline] = field(default_factory=dict)
    versions: dict[str, Version] = field(default_factory=dict)
    experiments: dict[str, Experiment] = field(default_factory=dict)
    runs: dict[str, Run] = field(default_factory=dict)
    schedules: dict[str, Schedule] = field(default_factory=dict)
    progress: dict[str, Progress] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.multi_user:
            self.default_experiment()

    def default_experiment(self) -> Experiment:
        """The one of runs that name none; only where there is one user."""
        for experiment in self.experiments.values():
            if experiment.display_name == "Default":
                return experiment
        description = "All runs created without specifying an experiment will be grouped here."
        made = Experiment("Default", description, "", self.clock.now())
        self.experiments[made.id] = made
        return made

    def namespace(self, given: str) -> str:
        """One user has none, whatever the request says."""
        return given if self.multi_user else ""

    def authorize(self, verb: str, resource: str, namespace: str) -> None:
        """Ask the cluster whether the user may.

        Raises:
            RefusedError: Not in this namespace.
        """
        if not self.multi_user:
            return
        if not namespace:
            if resource == "pipelines":
                # Shared pipelines: everybody reads them.
                if verb in {"get", "list"}:
                    return
                namespace = SERVER_NAMESPACE
            else:
                raise invalid(f"{resource} cannot have an empty namespace in multi-user mode")
        if namespace not in self.namespaces:
            reason = (
                "User 'user@example.com' is not authorized with reason:  (request: "
                f"&ResourceAttributes{{Namespace:{namespace},Verb:{verb},Group:pipelines."
                f"kubeflow.org,Version:v1beta1,Resource:{resource},Subresource:,Name:,}})"
            )
            message = f"PermissionDenied: {reason}: Unauthorized access"
            raise RefusedError("PermissionDenied", message, reason)


def check_length(what: str, value: str, longest: int) -> None:
    """Refuse a field of more bytes than its column holds."""
    if len(value.encode()) > longest:
        raise invalid(f"{what} length cannot exceed {longest}")
