"""What the page says when something is wrong; how it ends, its fixture sees."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Callable

import pytest
from typer.testing import CliRunner

import pipeline_utils
from serving.client import client_settings
from serving.demo.__main__ import main
from serving.demo.answer import Demo
from serving.demo.settings import demo_settings
from sub_module.engine.config import load_config
from sub_module.errors import ConfigError
from sub_module.plates import PlateStandard
from tests.servers.predictor import ROOT

Refused = Callable[..., str]
_COFFEE = ROOT / "docs" / "samples" / "coffee.jpg"


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Refused:
    """The one line that `python -m serving.demo` writes before it ends with exit code 2."""

    def run(*arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", ["demo", *arguments])
        assert main() == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("error: ")
        return line.removeprefix("error: ")

    return run


def test_a_port_that_is_taken(refused: Refused) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        line = refused("--set", f"port={port}")
    assert line == f"port: cannot listen at 127.0.0.1:{port}: Address already in use"


def test_a_host_that_is_none(refused: Refused) -> None:
    line = refused("--set", "host=nowhere.invalid")
    assert line.startswith("port: cannot listen at nowhere.invalid:7860: ")


@pytest.mark.parametrize(
    ("arguments", "field"), [(("--url", "plates"), "url"), (("--set", "port=many"), "port")]
)
def test_settings_that_are_none(refused: Refused, arguments: tuple[str, ...], field: str) -> None:
    line = refused(*arguments)
    assert line.startswith(f"{field}: ")
    command = CliRunner().invoke(pipeline_utils.app, ["demo", *arguments])
    assert isinstance(command.exception, ConfigError)
    assert str(command.exception) == line


def test_a_server_that_is_away_is_told() -> None:
    client = client_settings({"url": "http://127.0.0.1:9"})
    standard = PlateStandard.from_config(load_config("plate_training")["plates"])
    demo = Demo(demo_settings(), client, standard)
    shown = asyncio.run(demo.answer(str(_COFFEE), lambda *_, **__: None))
    assert {*shown} == {"readings"}
    assert "the server at http://127.0.0.1:9 cannot be reached" in shown["readings"]
