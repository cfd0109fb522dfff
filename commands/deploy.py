"""`deploy`: a model into use, on this machine or as a cluster's InferenceService."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from commands.cluster import cluster_only
from commands.options import BackendOption, ConfigOption, SetOption
from commands.terminal import bar, say
from pipelines.backends import BackendName
from sub_module.engine.config import load_config, parse_overrides
from sub_module.errors import ConfigError
from sub_module.settings import Settings

if TYPE_CHECKING:
    from cluster.inference_service import Deployed, InferenceService


def register(app: typer.Typer) -> None:
    """Add the command to the entry point."""
    app.command()(deploy)


def deploy(
    model: Annotated[
        str | None,
        typer.Argument(
            help="A model's directory, a version in `models`, or a gs:// or pvc:// URL; here also a"
            " checkpoint. None, on a cluster: look at what is served."
        ),
    ] = None,
    canary: Annotated[
        int | None,
        typer.Option(
            min=1, max=99, metavar="PERCENT", help="On a cluster: so much of the traffic."
        ),
    ] = None,
    promote: Annotated[
        bool, typer.Option("--promote", help="On a cluster: all traffic to the canary.")
    ] = False,
    rollback: Annotated[
        bool, typer.Option("--rollback", help="Without the canary, else the model before.")
    ] = False,
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="On a cluster: until it is ready.")
    ] = True,
    timeout: Annotated[
        float | None,
        typer.Option(metavar="MINUTES", min=0, help="Wait no longer; it goes on."),
    ] = None,
    test_set: Annotated[
        Path | None,
        typer.Option(
            help="Here: a recorded set, COCO JSON, to check the model with; default: the latest "
            "run's."
        ),
    ] = None,
    backend: BackendOption = BackendName.LOCAL,
    config: ConfigOption = "plate_training",
    overrides: SetOption = [],  # noqa: B006 - Typer reads defaults, nobody changes them
) -> None:
    """Put a model into use, try it on a part of the traffic, or take it back."""
    changes = parse_overrides(overrides)
    wishes = [("MODEL", model), ("--promote", promote), ("--rollback", rollback)]
    given = [name for name, wish in wishes if wish]
    if len(given) > 1:
        raise ConfigError(f"{' and '.join(given)}: give one")
    if canary is not None and model is None:
        raise ConfigError("--canary: which MODEL?")
    if backend is not BackendName.LOCAL:
        if test_set is not None:
            raise ConfigError("--test-set: counts here only; on a cluster the runs check models")
        service, deployed = _on_cluster(model, canary, promote, rollback, config, changes)
        _tell(service, deployed, wait, timeout)
        return
    for name, value in (("--canary", canary), ("--promote", promote), ("--timeout", timeout)):
        if value:
            raise cluster_only(name)
    _here(model, rollback, test_set, load_config(config, changes))


def _here(model: str | None, rollback: bool, test_set: Path | None, config: dict[str, Any]) -> None:
    # They bring onnxruntime.
    from components.deploy.by_hand import deploy_here, roll_back_here

    settings = Settings()
    if rollback:
        typer.echo(roll_back_here(settings))
        return
    if model is None:
        raise ConfigError("MODEL: which one? Or --rollback")
    with bar("checking") as progress:
        target, scores = deploy_here(model, test_set, config, settings, progress)
    say(", ".join(f"{name} {value:.3f}" for name, value in scores.items()))
    typer.echo(target)


def _on_cluster(
    model: str | None,
    canary: int | None,
    promote: bool,
    rollback: bool,
    config: str,
    changes: dict[str, Any],
) -> tuple[InferenceService, Deployed]:
    from cluster.api import connect
    from cluster.inference_service import InferenceService
    from pipelines.registry import cluster_settings, split_overrides
    from serving.predictor.settings import predictor_settings

    of_run, of_cluster = split_overrides(changes)
    if of_run:
        raise ConfigError(
            f"{next(iter(of_run))}: on a cluster, deploy takes only keys of `cluster`"
        )
    settings, cluster = Settings(), cluster_settings(config, of_cluster)
    service = InferenceService(connect(settings), cluster)
    # The server would say so, but in a pod that starts again and again.
    predictor_settings(service.serving.predictor)
    if promote:
        return service, service.promote()
    if rollback:
        return service, service.roll_back()
    if model is None:
        return service, service.as_it_is()
    from components.deploy.by_hand import source_for_cluster

    with bar("bringing the model") as progress:
        source = source_for_cluster(model, cluster, settings, progress)
    return service, service.deploy(source, canary)


def _tell(service: InferenceService, deployed: Deployed, wait: bool, minutes: float | None) -> None:
    """What was done, then until it is ready, then the URL."""
    from cluster.service_ready import wait_ready
    from components.deploy.service import address_of

    served = deployed.served
    trial = f", {served.percent} % {served.canary.version}" if served.canary else ""
    done = "made" if deployed.is_new else "changed" if deployed.is_changed else "as it was"
    say(f"InferenceService {deployed.name}: {done}; serves {served.stable.version}{trial}")
    if wait:
        seconds = service.serving.wait_seconds if minutes is None else minutes * 60
        wait_ready(service.api, deployed, seconds, say)
    if url := address_of(service.api, deployed.name):
        typer.echo(url)
