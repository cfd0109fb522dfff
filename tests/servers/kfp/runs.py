"""Runs."""

from __future__ import annotations

from typing import Any

from tests.servers.kfp.answers import RefusedError, internal, invalid, not_found
from tests.servers.kfp.experiments import experiment_for
from tests.servers.kfp.listing import page
from tests.servers.kfp.pipelines import listed
from tests.servers.kfp.play import Executed
from tests.servers.kfp.rows import Experiment, Version, filled
from tests.servers.kfp.run import Run
from tests.servers.kfp.spec import Spec, check_parameters, parse_yaml, spec_of
from tests.servers.kfp.state import Request, State

_FIELDS = {
    "id": "id",
    "run_id": "id",
    "name": "display_name",
    "display_name": "display_name",
    "created_at": "created_at",
    "finished_at": "finished_at",
    "scheduled_at": "scheduled_at",
    "description": "description",
    "storage_state": "storage_state",
    "namespace": "namespace",
    "experiment_id": "experiment_id",
    "state": "state",
    "recurring_run_id": "recurring_run_id",
}
_STOPPABLE = {"PENDING", "RUNNING", "PAUSED"}


def create_run(state: State, request: Request) -> dict[str, Any]:
    """Start one; its name need not be its own."""
    body = request.body
    if "plugins_output" in body:
        reason = "plugins_output is server-owned"
        raise RefusedError("Aborted", f"BadRequestError: {reason}", reason)
    if not body.get("display_name"):
        raise internal("Failed to convert a API run detail: Run name cannot be empty")
    experiment = experiment_for(state, body.get("experiment_id", ""))
    state.authorize("create", "runs", experiment.namespace)
    return start_run(state, experiment, body).shown()


def start_run(state: State, experiment: Experiment, body: dict[str, Any]) -> Run:
    """Start what `body` describes, as in a request."""
    source, spec, content = pipeline_source(state, body)
    now = state.clock.now()
    run = Run(
        body["display_name"],
        body.get("description", ""),
        experiment.id,
        experiment.namespace,
        body.get("service_account")
        or ("default-editor" if state.multi_user else "pipeline-runner"),
        filled(**(body.get("runtime_config") or {})),
        source,
        spec,
        content,
        now,
        recurring_run_id=body.get("recurring_run_id", ""),
    )
    given = run.runtime_config.get("parameters") or {}
    check_parameters(spec, given)
    run.arguments = dict(given)
    if state.executes is not None:
        state.progress[run.id] = Executed(run, state.executes, state.secret, state.folder)
    else:
        state.progress[run.id] = state.play
    state.runs[run.id] = run
    experiment.last_run_created_at = now
    return run


def pipeline_source(state: State, body: dict[str, Any]) -> tuple[dict[str, Any], Spec, bytes]:
    """What a run or a schedule runs: as the API shows it, its spec, and its YAML.

    Raises:
        RefusedError: There is none.
    """
    reference = body.get("pipeline_version_reference")
    if reference is None:
        raise internal("Failed to create a run due to error fetching manifest: empty manifest")
    version = _version(state, reference)
    shown = {"pipeline_id": version.pipeline_id, "pipeline_version_id": version.id}
    spec = parse_yaml(version.yaml) if version.yaml else spec_of(version.spec)
    return {"pipeline_version_reference": shown}, spec, version.yaml


def get_run(state: State, request: Request) -> dict[str, Any]:
    """Look at one, which moves it on."""
    run = run_of(state, request.path["run_id"], "get")
    if not run.is_over:
        state.progress[run.id].look(run, state.clock.now())
    return run.shown()


def list_runs(state: State, request: Request) -> dict[str, Any]:
    """Of an experiment, or of a namespace; archived ones too."""
    namespace = state.namespace(request.query.get("namespace", ""))
    rows = list(state.runs.values())
    key = request.query.get("experiment_id", "")
    if key:
        namespace = experiment_for(state, key).namespace
        rows = [row for row in rows if row.experiment_id == key]
    state.authorize("list", "runs", namespace)
    rows = [row for row in rows if row.namespace == namespace]
    return listed("runs", *page(rows, request.query, _FIELDS))


def delete_run(state: State, request: Request) -> dict[str, Any]:
    """One that is under way is stopped."""
    run = run_of(state, request.path["run_id"], "delete")
    state.progress.pop(run.id).stop()
    del state.runs[run.id]
    return {}


def terminate_run(state: State, request: Request) -> dict[str, Any]:
    """It is cancelled, and has failed when that is done."""
    run = run_of(state, request.path["run_id"], "terminate")
    if run.experiment_id not in state.experiments:
        raise not_found("Experiment", run.experiment_id)
    if run.state not in _STOPPABLE:
        raise invalid(f"Failed to terminate a run {run.id}. Row not found")
    # The server writes no history of this.
    run.state = "CANCELING"
    return {}


def run_of(state: State, key: str, verb: str) -> Run:
    """A row that the user may use so."""
    run = state.runs.get(key)
    if run is None:
        raise not_found("Run", key)
    state.authorize(verb, "runs", run.namespace)
    return run


def _version(state: State, reference: dict[str, str]) -> Version:
    key = reference.get("pipeline_version_id", "")
    pipeline_id = reference.get("pipeline_id", "")
    version = state.versions.get(key)
    if version is None:
        # Not 404: the server takes it for a fault of its own.
        raise internal(f"error fetching manifest: PipelineVersion {key} not found")
    if pipeline_id and version.pipeline_id != pipeline_id:
        raise internal(
            f"error fetching manifest: Pipeline version {key} belongs to pipeline "
            f"{version.pipeline_id} (not {pipeline_id})"
        )
    return version
