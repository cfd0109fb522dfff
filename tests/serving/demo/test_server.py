"""What the page says when something is wrong; how it ends, its fixture sees."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys

import pytest

from serving.client import client_settings
from serving.demo.page import Demo
from serving.demo.settings import demo_settings
from sub_module.engine.config import load_config
from sub_module.plates import PlateStandard
from tests.servers.predictor import ROOT

_COFFEE = ROOT / "docs" / "samples" / "coffee.jpg"


_MODULE, _COMMAND = ("-m", "serving.demo"), ("pipeline_utils.py", "demo")


def refused(*arguments: str, program: tuple[str, ...] = _MODULE) -> list[str]:
    """The lines that it writes before it ends with exit code 2."""
    command = [sys.executable, *program, *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    return done.stderr.splitlines()


def test_a_port_that_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert refused("--set", f"port={port}") == [
            f"error: the page cannot listen at 127.0.0.1:{port}: Address already in use"
        ]


def test_a_host_that_is_none() -> None:
    (line,) = refused("--set", "host=nowhere.invalid")
    assert line.startswith("error: the page cannot listen at nowhere.invalid:7860: ")


@pytest.mark.parametrize("program", [_MODULE, _COMMAND])
@pytest.mark.parametrize(
    ("arguments", "reason"),
    [(("--url", "plates"), "error: url: "), (("--set", "port=many"), "error: port: ")],
)
def test_settings_that_are_none(
    program: tuple[str, ...], arguments: tuple[str, ...], reason: str
) -> None:
    (line,) = refused(*arguments, program=program)
    assert line.startswith(reason)


def test_a_server_that_is_away_is_told() -> None:
    client = client_settings({"url": "http://127.0.0.1:9"})
    standard = PlateStandard.from_config(load_config("plate_training")["plates"])
    demo = Demo(demo_settings(), client, standard)
    shown = asyncio.run(demo.answer(str(_COFFEE), lambda *_, **__: None))
    assert {*shown} == {"readings"}
    assert "the server at http://127.0.0.1:9 cannot be reached" in shown["readings"]
