"""Recurring runs: a version started by the clock of the cluster."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipelines.backends.kubeflow.runs import Runs, parameters_of
from pipelines.backends.kubeflow.server import Server, listed, named
from pipelines.backends.kubeflow.session import created, first_of_name, unless_gone
from pipelines.backends.kubeflow.versions import Stored
from sub_module.errors import RunError

_ENABLED, _DISABLED = "ENABLED", "DISABLED"
_NUM_FIELDS = 5


@dataclass(frozen=True)
class Schedule:
    """One recurring run.

    Attributes:
        name: Also that of the runs' directory on the volume: each goes on where the last one was.
        cron: Seconds, minutes, hours, days, months, weekdays; in the time zone of the server.
        version_id: The server's name for the version that it starts.
        overrides: Dotted config key to value.
        is_enabled: Whether it starts runs.
        id: The server's name for it.
    """

    name: str
    cron: str
    version_id: str
    overrides: dict[str, Any]
    is_enabled: bool
    id: str


class Schedules:
    """The schedules of one namespace."""

    def __init__(self, server: Server) -> None:
        """Those of a server."""
        self._server = server

    def listed(self) -> list[Schedule]:
        """All, oldest first."""
        client = self._server.client
        found = listed(
            client.list_recurring_runs,
            "recurring_runs",
            namespace=self._server.namespace,
            sort_by="created_at",
        )
        return [_schedule(one) for one in found]

    def add(
        self,
        runs: Runs,
        name: str,
        cron: str,
        stored: Stored,
        parameters: Mapping[str, Any],
        service_account: str | None,
    ) -> tuple[Schedule, bool]:
        """Add a schedule; the same again changes nothing.

        Args:
            runs: Of the server.
            name: No other schedule has it.
            cron: Five fields, or six with the seconds before them.
            stored: The version to start.
            parameters: Of its runs.
            service_account: Of its pods; None: the server's.

        Returns:
            The schedule, and whether it was added now.

        Raises:
            RunError: There is another of that name.
            ClusterError: The server refuses, such as a `cron` that is none.
        """
        present = self._find(name)
        if present is None:
            made = created(
                lambda: self._create(runs, name, cron, stored, parameters, service_account),
                lambda: next(iter(self._named(name)), None),
            )
            first = first_of_name(
                made,
                lambda: self._named(name),
                lambda one: (one.created_at, one.recurring_run_id),
                lambda one: self._delete(one.recurring_run_id),
            )
            present = _schedule(first)
            if first.recurring_run_id == made.recurring_run_id:
                return present, True
        wanted = (with_seconds(cron), stored.id, parameters["overrides"])
        if (present.cron, present.version_id, present.overrides) != wanted:
            raise RunError(
                f"there is a schedule {name} already, of another time, version or config; "
                "delete it first, or give another name"
            )
        return present, False

    def pause(self, name: str) -> None:
        """Let it start no runs; those that are under way go on.

        Raises:
            RunError: There is none.
        """
        self._server.client.disable_recurring_run(self._existing(name).id)

    def resume(self, name: str) -> None:
        """Let it start runs again, from now on.

        Raises:
            RunError: There is none.
        """
        self._server.client.enable_recurring_run(self._existing(name).id)

    def delete(self, name: str) -> None:
        """Delete it; its runs stay.

        Raises:
            RunError: There is none.
        """
        self._delete(self._existing(name).id)

    def _delete(self, schedule_id: str) -> None:
        unless_gone(self._server.client.delete_recurring_run, schedule_id)

    def _existing(self, name: str) -> Schedule:
        found = self._find(name)
        if found is None:
            raise RunError(f"there is no schedule {name} at {self._server.host}")
        return found

    def _find(self, name: str) -> Schedule | None:
        found = self._named(name)
        return _schedule(found[0]) if found else None

    def _named(self, name: str) -> list[Any]:
        page = self._server.client.list_recurring_runs(
            filter=named(name, "display_name"), namespace=self._server.namespace
        )
        return [one for one in page.recurring_runs or () if one.display_name == name]

    def _create(
        self,
        runs: Runs,
        name: str,
        cron: str,
        stored: Stored,
        parameters: Mapping[str, Any],
        service_account: str | None,
    ) -> Any:
        return self._server.client.create_recurring_run(
            experiment_id=runs.experiment(stored.version.pipeline),
            job_name=name,
            description=f"code {stored.commit or 'unknown'}",
            cron_expression=with_seconds(cron),
            # What was missed while the last one ran, or in a pause, is not made up for.
            max_concurrency=1,
            no_catchup=True,
            params=dict(parameters),
            pipeline_id=stored.pipeline_id,
            version_id=stored.id,
            service_account=service_account,
        )


def with_seconds(cron: str) -> str:
    """A time as the server reads it: of five fields it would take the first for the seconds.

    Raises:
        RunError: It does not have five or six fields, and is no word such as `@daily`.
    """
    if re.fullmatch(r"@\w+( \w+)?", cron.strip()):
        return cron.strip()
    fields = cron.split()
    # The server would take a time zone for one of them.
    if len(fields) not in (_NUM_FIELDS, _NUM_FIELDS + 1) or "=" in cron:
        raise RunError(
            f"--cron {cron!r}: expected minute, hour, day, month and weekday, such as '0 3 * * 1-5'"
        )
    return " ".join(fields if len(fields) > _NUM_FIELDS else ["0", *fields])


def _schedule(found: Any) -> Schedule:
    trigger = found.trigger and found.trigger.cron_schedule
    reference = found.pipeline_version_reference
    return Schedule(
        found.display_name,
        trigger.cron if trigger else "",
        (reference and reference.pipeline_version_id) or "",
        parameters_of(found)["overrides"],
        found.status == _ENABLED,
        found.recurring_run_id,
    )
