"""`deploy`: a model into use, on this machine or as a cluster's InferenceService."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from commands.cluster import cluster_only
from commands.options import ConfigOption, SetOption
from commands.terminal import bar, say
from pipelines.backends import BackendName
from sub_module.engine.config import load_config, parse_overrides
from sub_module.errors import ConfigError
from sub_module.settings import Settings

if TYPE_CHECKING:
    from cluster.inference_service import Deployed, InferenceService

_ONCE_STARTED = "in use; a `serve` that runs reads with it once it is started again"


def register(app: typer.Typer) -> None:
    """Add the command to the entry point."""
    app.command()(deploy)


def deploy(
    model: Annotated[
        str | None,
        typer.Argument(
            help="A model's directory or a checkpoint, a version in `models`, or, on a cluster, a "
            "gs:// or pvc:// URL. None: say what is in use."
        ),
    ] = None,
    rollback: Annotated[
        bool,
        typer.Option("--rollback", help="Without the canary, else the model before; again: back."),
    ] = False,
    test_set: Annotated[
        Path | None,
        typer.Option(
            help="An annotation set, or a COCO file, that a model from here is measured on, as in "
            "a run; default: the latest run's test images."
        ),
    ] = None,
    canary: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=99,
            metavar="PERCENT",
            help="On a cluster: MODEL gets only so much of the traffic, on trial.",
        ),
    ] = None,
    promote: Annotated[
        bool, typer.Option("--promote", help="On a cluster: all traffic to the canary.")
    ] = False,
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="On a cluster: until it is ready.")
    ] = True,
    timeout: Annotated[
        float | None,
        typer.Option(metavar="MINUTES", min=0, help="On a cluster: wait no longer; it goes on."),
    ] = None,
    backend: Annotated[
        BackendName, typer.Option(help="This machine, or a cluster's InferenceService.")
    ] = BackendName.LOCAL,
    config: ConfigOption = "plate_training",
    overrides: SetOption = [],  # noqa: B006 - Typer reads defaults, nobody changes them
) -> None:
    """Put a model into use, once it is checked; or take it back; or see which one is in use."""
    wishes = [("MODEL", model), ("--promote", promote), ("--rollback", rollback)]
    given = [name for name, wish in wishes if wish]
    if len(given) > 1:
        raise ConfigError(f"{' and '.join(given)}: give one")
    if canary is not None and model is None:
        raise ConfigError("--canary: which MODEL?")
    if test_set is not None and model is None:
        raise ConfigError("--test-set: which MODEL?")
    changes = parse_overrides(overrides)
    for key in changes:
        if key.split(".")[0] not in ("deploy", "cluster"):
            raise ConfigError(f"{key}: deploy reads only keys of `deploy` and `cluster`")
    settings, whole = Settings(), load_config(config, changes)
    if backend is not BackendName.LOCAL:
        service = _service(settings, whole)
        if promote:
            deployed = service.promote()
        elif rollback:
            deployed = service.roll_back()
        elif model is None:
            deployed = service.as_it_is()
        else:
            deployed = service.deploy(_brought(model, test_set, whole, settings), canary)
        _tell(service, deployed, wait, timeout)
        return
    for name, value in (("--canary", canary), ("--promote", promote), ("--timeout", timeout)):
        if value not in (None, False):
            raise cluster_only(name)
    _here(model, rollback, test_set, settings, whole)


def _here(
    model: str | None,
    rollback: bool,
    test_set: Path | None,
    settings: Settings,
    config: dict[str, Any],
) -> None:
    # They bring onnxruntime.
    from components.deploy.by_hand import deploy_here, in_use_here, roll_back_here

    if rollback:
        target = roll_back_here(settings)
        typer.echo(target)
        say(_ONCE_STARTED)
    elif model is None:
        typer.echo(in_use_here(settings))
    else:
        with bar("checking") as progress:
            target, scores = deploy_here(model, test_set, config, settings, progress, say)
        _say_scores(scores)
        typer.echo(target)
        say(_ONCE_STARTED)


def _service(settings: Settings, config: dict[str, Any]) -> InferenceService:
    from cluster.api import connect
    from cluster.inference_service import InferenceService
    from cluster.settings import cluster_of
    from serving.predictor.settings import predictor_settings

    service = InferenceService(connect(settings), cluster_of(config))
    # The server would say so, but in a pod that starts again and again.
    predictor_settings(service.serving.predictor)
    return service


def _brought(model: str, test_set: Path | None, config: dict[str, Any], settings: Settings) -> str:
    from components.deploy.by_hand import source_for_cluster

    with bar("bringing the model") as progress:
        source, scores = source_for_cluster(model, test_set, config, settings, progress, say)
    if scores:
        _say_scores(scores)
    return source


def _say_scores(scores: dict[str, float]) -> None:
    say(", ".join(f"{name} {value:.3f}" for name, value in scores.items()))


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
