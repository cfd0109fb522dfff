"""Recurring runs."""

from __future__ import annotations

import re
from typing import Any

from tests.servers.kfp.answers import internal, invalid, not_found
from tests.servers.kfp.cron import check_cron
from tests.servers.kfp.experiments import experiment_for
from tests.servers.kfp.listing import page
from tests.servers.kfp.pipelines import listed
from tests.servers.kfp.rows import Schedule
from tests.servers.kfp.run import Run
from tests.servers.kfp.runs import pipeline_source, start_run
from tests.servers.kfp.spec import check_parameters
from tests.servers.kfp.state import SERVER_NAMESPACE, Request, State

# Not by its state.
_FIELDS = {
    "id": "id",
    "recurring_run_id": "id",
    "name": "display_name",
    "display_name": "display_name",
    "created_at": "created_at",
    "updated_at": "updated_at",
    "description": "description",
}


def create_schedule(state: State, request: Request) -> dict[str, Any]:
    """Its name need not be its own; without a mode it is off."""
    body = request.body
    if not body.get("display_name"):
        raise internal("Failed to convert a API recurring run: name cannot be empty")
    concurrency = int(body.get("max_concurrency", 0))
    if not 1 <= concurrency <= 10:
        raise invalid(
            "Max concurrency of a recurring run must be at least 1 and at most 10. "
            f"Received {concurrency}"
        )
    _check_trigger(body.get("trigger") or {})
    experiment = experiment_for(state, body.get("experiment_id", ""))
    namespace = experiment.namespace
    if body.get("namespace") and body["namespace"] != namespace:
        raise invalid(
            f"Experiment {experiment.id} belongs to namespace '{namespace}' instead of "
            f"'{body['namespace']}'"
        )
    state.authorize("create", "jobs", namespace)
    config = body.get("runtime_config") or {}
    source, spec, _ = pipeline_source(state, body)
    check_parameters(spec, config.get("parameters"))
    now = state.clock.now()
    schedule = Schedule(
        body["display_name"],
        body.get("description", ""),
        namespace or SERVER_NAMESPACE,
        experiment.id,
        source,
        config,
        body.get("trigger") or {},
        concurrency,
        body.get("no_catchup", False),
        body.get("service_account", ""),
        body.get("mode") == "ENABLE",
        now,
        now,
    )
    state.schedules[schedule.id] = schedule
    return schedule.shown()


def list_schedules(state: State, request: Request) -> dict[str, Any]:
    """Of an experiment, or of a namespace."""
    namespace = state.namespace(request.query.get("namespace", ""))
    rows = list(state.schedules.values())
    key = request.query.get("experiment_id", "")
    if key:
        namespace = experiment_for(state, key).namespace
        rows = [row for row in rows if row.experiment_id == key]
    state.authorize("list", "jobs", namespace)
    if state.multi_user:
        rows = [row for row in rows if row.namespace == namespace]
    # The one user sees all, though they have a namespace.
    return listed("recurringRuns", *page(rows, request.query, _FIELDS))


def enable_schedule(state: State, request: Request) -> dict[str, Any]:
    """Go on."""
    return _switch(state, _schedule(state, request, "enable"), True)


def disable_schedule(state: State, request: Request) -> dict[str, Any]:
    """Start nothing until it is enabled."""
    return _switch(state, _schedule(state, request, "disable"), False)


def delete_schedule(state: State, request: Request) -> dict[str, Any]:
    """Its runs stay."""
    del state.schedules[_schedule(state, request, "delete").id]
    return {}


def fire(state: State, schedule: Schedule) -> Run | None:
    """Start the run of a schedule whose time has come; None: it is off."""
    if not schedule.enabled:
        return None
    schedule.num_runs += 1
    # The controller names it after the resource in the cluster.
    resource = re.sub("[^a-z0-9-]+", "", schedule.display_name.lower())[:25] or "job-"
    resource += schedule.id[:5]
    body = {
        "display_name": f"{resource}-{schedule.num_runs}-{int(schedule.id[:8], 16)}",
        "recurring_run_id": schedule.id,
        "runtime_config": schedule.runtime_config,
        "service_account": schedule.service_account,
        **schedule.source,
    }
    experiment = experiment_for(state, schedule.experiment_id)
    return start_run(state, experiment, body)


def _check_trigger(trigger: dict[str, Any]) -> None:
    if "cron_schedule" in trigger:
        try:
            check_cron(trigger["cron_schedule"].get("cron", ""))
        except ValueError as error:
            raise invalid(
                "Schedule cron is not a supported format(https://godoc.org/github.com/robfig/cron)."
                f" Error: {error}"
            ) from error


def _schedule(state: State, request: Request, verb: str) -> Schedule:
    key = request.path["recurring_run_id"]
    schedule = state.schedules.get(key)
    if schedule is None:
        raise not_found("Job", key)
    state.authorize(verb, "jobs", schedule.namespace)
    return schedule


def _switch(state: State, schedule: Schedule, on: bool) -> dict[str, Any]:
    schedule.enabled = on
    schedule.updated_at = state.clock.now()
    return {}
