"""Experiments."""

from __future__ import annotations

from typing import Any

from tests.servers.kfp.answers import RefusedError, exists, internal, invalid, not_found
from tests.servers.kfp.listing import folded, page
from tests.servers.kfp.pipelines import listed
from tests.servers.kfp.rows import Experiment
from tests.servers.kfp.state import Request, State

_FIELDS = {
    "id": "id",
    "experiment_id": "id",
    "name": "display_name",
    "display_name": "display_name",
    "created_at": "created_at",
    "last_run_created_at": "last_run_created_at",
    "description": "description",
    "namespace": "namespace",
    "storage_state": "storage_state",
}


def create_experiment(state: State, request: Request) -> dict[str, Any]:
    """Its name is its own in its namespace."""
    name = request.body.get("display_name", "")
    if not name:
        raise internal("Failed to convert API experiment: Experiment must have a non-empty name")
    if len(name.encode()) > 128:
        raise internal("Failed to convert API experiment: Experiment.Name length cannot exceed 128")
    namespace = state.namespace(request.body.get("namespace", ""))
    state.authorize("create", "experiments", namespace)
    for other in state.experiments.values():
        if (folded(other.display_name), other.namespace) == (folded(name), namespace):
            raise exists(
                f"Failed to create a new experiment. The name {name} already exists. "
                "Please specify a new name"
            )
    made = Experiment(name, request.body.get("description", ""), namespace, state.clock.now())
    state.experiments[made.id] = made
    return made.shown()


def list_experiments(state: State, request: Request) -> dict[str, Any]:
    """Archived ones too."""
    namespace = state.namespace(request.query.get("namespace", ""))
    state.authorize("list", "experiments", namespace)
    rows = [row for row in state.experiments.values() if row.namespace == namespace]
    return listed("experiments", *page(rows, request.query, _FIELDS))


def delete_experiment(state: State, request: Request) -> dict[str, Any]:
    """Its runs stay, without one."""
    experiment = experiment_of(state, request.path["experiment_id"], "delete")
    if not state.multi_user and experiment is state.default_experiment():
        message = f"Failed to delete experiment {experiment.id}. The default experiment cannot be"
        raise RefusedError("Aborted", f"BadRequestError: {message} deleted", f"{message} deleted")
    del state.experiments[experiment.id]
    return {}


def experiment_of(state: State, key: str, verb: str) -> Experiment:
    """A row that the user may use so."""
    experiment = state.experiments.get(key)
    if experiment is None:
        raise not_found("Experiment", key)
    state.authorize(verb, "experiments", experiment.namespace)
    return experiment


def experiment_for(state: State, key: str) -> Experiment:
    """The one that a new run or schedule belongs to."""
    if key:
        experiment = state.experiments.get(key)
        if experiment is None:
            raise not_found("Experiment", key)
        return experiment
    if state.multi_user:
        raise invalid("Experiment id can not be empty in multi-user mode")
    return state.default_experiment()
