"""`predict`: read images by a model server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from commands.options import JsonOption, SetOption, StandardOption
from commands.terminal import bar, failed, say, show_readings
from sub_module.engine.config import load_pipeline_config, parse_overrides
from sub_module.errors import ConfigError, PlateflowError
from sub_module.plates import PlateStandard
from sub_module.plates.standards import load_standard
from sub_module.settings import Settings

if TYPE_CHECKING:
    from serving.client import PlateClient
    from serving.client.many import FileResult
    from serving.predictor.answer import ImageAnswer


@dataclass
class _Tally:
    """What has been printed so far."""

    num_files: int
    num_read: int = 0
    num_failed: int = 0

    def after(self, reason: str) -> str:
        """What is said when something went wrong: of many images, how many are read."""
        if self.num_files == 1:
            return reason
        return f"{reason}; {self.num_read} of {self.num_files} images are read"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(predict)


def predict(
    images: Annotated[
        list[str], typer.Argument(help="Image files, directories of them, or patterns.")
    ],
    url: Annotated[
        str | None,
        typer.Option(
            "--url",
            help="The server; with --service, a gateway to it, such as that of a port-forward. "
            "Default: the service's own, else where `serve` is.",
        ),
    ] = None,
    service: Annotated[
        str | None, typer.Option("--service", help="An InferenceService of the cluster.")
    ] = None,
    as_json: JsonOption = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Directory for a picture and a JSON file of each image."),
    ] = None,
    standard: StandardOption = None,
    config: Annotated[
        str | None,
        typer.Option(
            "--config",
            help="The pipeline config of the server's model, which names the plates to be drawn; "
            "default: those that the server says it reads.",
        ),
    ] = None,
    overrides: SetOption = [],  # noqa: B006 - Typer reads defaults, nobody changes them
) -> None:
    """Read the plates on images by a model server.

    --set changes keys of configs/serving/client.py; --standard names the plates to be read, where
    the server's model can read several.
    """
    # They take their time to import.
    from serving.client.many import image_files

    files = image_files(images)
    plates_of = _drawn(standard, config)
    keep, pictures = _keeper(files, out, plates_of)
    asked = {} if standard is None else {"standard": load_standard(standard).name}
    tally = _Tally(len(files))
    with bar("reading") as progress, _printer(as_json, plates_of, pictures) as show:

        def on_wait(reason: str) -> None:
            progress(tally.num_read + tally.num_failed, len(files), f"waiting: {reason}")

        client = _client(url, service, overrides, asked, on_wait)

        def on_result(result: FileResult) -> None:
            tally.num_read += result.answer is not None
            tally.num_failed += result.answer is None
            show(result)
            progress(tally.num_read + tally.num_failed, len(files), "")

        progress(0, len(files), "")
        with _counted(tally):
            asyncio.run(_read(client, files, keep, on_result))
    if tally.num_failed:
        if len(files) > 1:
            say(tally.after(f"{tally.num_failed} failed"))
        raise typer.Exit(1 if tally.num_read else 2)


@contextmanager
def _counted(tally: _Tally) -> Iterator[None]:
    """Ends that come too early say how far it came."""
    try:
        yield
    except KeyboardInterrupt:
        raise typer.Exit(failed(tally.after("stopped"), 130)) from None
    except ConfigError as error:
        # Of the drawings: the server's model reads other plates.
        raise ConfigError(f"{error}: is --standard (or --config) that of the server?") from error
    except PlateflowError as error:
        raise PlateflowError(tally.after(str(error))) from error


async def _read(
    client: PlateClient,
    files: list[Path],
    keep: Callable[[FileResult], None],
    on_result: Callable[[FileResult], None],
) -> None:
    from serving.client.many import read_files

    async with client, aclosing(read_files(client, files, keep)) as results:
        async for result in results:
            on_result(result)


def _drawn(standard: str | None, config: str | None) -> Callable[[ImageAnswer], PlateStandard]:
    """The plates that an answer is about: those that the user names, else those it names itself."""
    from serving.client.standard import standard_of

    if standard is not None and config is not None:
        raise ConfigError("--standard and --config: give one")
    if standard is not None:
        named = load_standard(standard)
        return lambda answer: named
    loaded = load_pipeline_config(config or "plate_training", "plates")
    plates = PlateStandard.from_config(loaded["plates"])
    if config is not None:
        return lambda answer: plates
    return lambda answer: standard_of(answer, plates)


def _client(
    url: str | None,
    service: str | None,
    overrides: list[str],
    asked: dict[str, Any],
    on_wait: Callable[[str], None],
) -> PlateClient:
    from serving.client import PlateClient, client_settings

    changes, settings, host = parse_overrides(overrides) | asked, Settings(), None
    if service is not None:
        from cluster.api import connect
        from cluster.service_address import url_of

        address = url_of(connect(settings), service, url or settings.gateway)
        url, host = address.url, address.host_header
        # As `deploy` calls it.
        changes = {"model_name": service} | changes
    if url is not None:
        changes["url"] = url
    return PlateClient(client_settings(changes), settings.serve_token, host, on_wait)


def _keeper(
    files: list[Path], out: Path | None, plates_of: Callable[[ImageAnswer], PlateStandard]
) -> tuple[Callable[[FileResult], None], dict[Path, Path]]:
    """What writes pictures and JSON files, and where each image's picture goes."""
    if out is None:
        return lambda result: None, {}
    from serving.client.payload import MAX_PIXELS
    from sub_module.datasets.decode import decode_image
    from sub_module.engine.read import picture_files, write_picture
    from sub_module.files import write_json

    pictures = dict(zip(files, picture_files(files, out), strict=True))

    def keep(result: FileResult) -> None:
        assert result.answer is not None
        picture = pictures[result.file]
        image = decode_image(result.file.read_bytes(), MAX_PIXELS).pixels
        write_picture(picture, image, result.answer.readings, plates_of(result.answer))
        write_json(picture.with_suffix(".json"), result.to_dict())

    return keep, pictures


@contextmanager
def _printer(
    as_json: bool,
    plates_of: Callable[[ImageAnswer], PlateStandard],
    pictures: dict[Path, Path],
) -> Iterator[Callable[[FileResult], None]]:
    """What prints results as they come; JSON is whole also when not all come."""
    if not as_json:
        yield lambda result: _print(result, plates_of, pictures.get(result.file))
        return
    separator = "["

    def show(result: FileResult) -> None:
        nonlocal separator
        typer.echo(f"{separator}\n{json.dumps(result.to_dict(), indent=2)}", nl=False)
        separator = ","

    try:
        yield show
    finally:
        typer.echo("[]" if separator == "[" else "\n]")


def _print(
    result: FileResult,
    plates_of: Callable[[ImageAnswer], PlateStandard],
    picture: Path | None,
) -> None:
    if result.answer is None:
        say(f"error: {result.file}: {result.error}")
        return
    show_readings(result.file, result.answer.readings, plates_of(result.answer))
    if picture is not None:
        typer.echo(f"picture: {picture}")
