"""`schedule`: versions that a cluster starts again and again."""

from __future__ import annotations

from typing import Annotated

import typer

from commands.cluster import kubeflow
from commands.options import BackendOption, NameOption, OverridesOption, SetOption, YesOption
from commands.runs import DEFAULT_PIPELINE, latest_version, run_changes
from commands.terminal import say, table
from components.run_config import named_by, read_overrides
from pipelines.backends import BackendName
from sub_module.engine.config import parse_overrides

app = typer.Typer(help="Versions that a cluster starts again and again.", no_args_is_help=True)

ScheduleArgument = Annotated[str, typer.Argument(metavar="SCHEDULE", help="Its name.")]


@app.command()
def add(
    schedule: ScheduleArgument,
    cron: Annotated[
        str,
        typer.Option(
            help="Minute, hour, day, month, weekday (0-6), such as '0 3 * * 1-5', in the server's "
            "time zone, UTC by default; six fields have the seconds first.",
        ),
    ],
    name: NameOption = DEFAULT_PIPELINE,
    version: Annotated[str | None, typer.Option(help="Default: the latest uploaded.")] = None,
    overrides: SetOption = [],  # noqa: B006 - Typer reads defaults, nobody changes them
    overrides_file: OverridesOption = None,
    backend: BackendOption = BackendName.KUBEFLOW,
) -> None:
    """Start an uploaded version again and again.

    All its runs share runs/SCHEDULE on the volume: each does again what has changed since the last.
    """
    of_file, of_options = read_overrides(overrides_file), parse_overrides(overrides)
    changes = run_changes({**of_file, **of_options}, backend)
    where = kubeflow(backend, "schedule")
    pipeline = name or DEFAULT_PIPELINE
    with named_by(overrides_file, of_file, of_options):
        chosen = version or latest_version(where, pipeline)
        is_new = where.add_schedule(schedule, cron, pipeline, chosen, changes)
    say(f"schedule {schedule} {'starts' if is_new else 'starts already'} {pipeline}/{chosen}")


@app.command("list")
def list_schedules(backend: BackendOption = BackendName.KUBEFLOW) -> None:
    """List the schedules."""
    rows = [
        [
            found.name,
            found.cron,
            "on" if found.is_enabled else "paused",
            " ".join(f"{key}={value}" for key, value in found.overrides.items()),
        ]
        for found in kubeflow(backend, "schedule").schedules()
    ]
    table(["schedule", "second minute hour day month weekday", "state", "changes"], rows)


@app.command()
def pause(schedule: ScheduleArgument, backend: BackendOption = BackendName.KUBEFLOW) -> None:
    """Let it start no runs; one that is under way goes on."""
    kubeflow(backend, "schedule").pause_schedule(schedule)
    say(f"paused {schedule}")


@app.command()
def resume(schedule: ScheduleArgument, backend: BackendOption = BackendName.KUBEFLOW) -> None:
    """Let it start runs again; what it missed is not made up for."""
    kubeflow(backend, "schedule").resume_schedule(schedule)
    say(f"resumed {schedule}")


@app.command()
def delete(
    schedule: ScheduleArgument,
    yes: YesOption = False,
    backend: BackendOption = BackendName.KUBEFLOW,
) -> None:
    """Delete it; its runs stay."""
    where = kubeflow(backend, "schedule")
    if not yes:
        typer.confirm(f"Delete schedule {schedule}?", abort=True, err=True)
    where.delete_schedule(schedule)
    say(f"deleted {schedule}")
