"""What commands say of themselves, and after `make setup` alone, which installs no extras."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline_utils import app
from tests.standards import REPOSITORY

# What Python does with a module that is None here is what it does with one that is missing.
BLOCKED = """
import runpy, sys
sys.modules.update(dict.fromkeys(sys.argv.pop(1).split(",")))
runpy.run_path("pipeline_utils.py", run_name="__main__")
"""


@pytest.mark.parametrize(
    ("arguments", "missing", "extra"),
    [
        (["serve", "--set", "http_port=0", "--set", "grpc_port=0"], "kserve", "serving"),
        (["serve", "--set", "http_port=0", "--set", "grpc_port=0"], "fastapi", "serving"),
        (["demo", "--set", "port=0"], "gradio", "demo"),
    ],
)
def test_a_library_that_is_not_installed(
    tmp_path: Path, arguments: list[str], missing: str, extra: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", BLOCKED, missing, *arguments],
        cwd=REPOSITORY,
        env={"PLATEFLOW_HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert re.fullmatch(
        rf"error: {missing}[.\w]* is not installed: pip install -e '\.\[{extra}\]'", line
    )


def test_the_help_of_serve_names_what_lets_others_in() -> None:
    shown = CliRunner().invoke(app, ["serve", "--help"], env={"COLUMNS": "200"}).stdout
    for word in ("PLATEFLOW_SERVE_TOKEN", "host=", "http_port=", "grpc_port="):
        assert word in shown


@pytest.mark.parametrize("command", [["serving.bench"], ["serving.triton", "start"]], ids=str)
def test_every_option_is_explained(command: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    module = importlib.import_module(f"{command[0]}.__main__")
    with pytest.raises(SystemExit), redirect_stdout(StringIO()) as shown:
        module.main([*command[1:], "--help"])
    text = re.sub(r"\n {4,}", "  ", shown.getvalue())
    options = re.findall(r"^  -.*", text, re.MULTILINE)
    assert len(options) > 4
    for line in options:
        assert re.search(r"\S {2,}\S", line), f"{line.strip()} has no help"


def test_make_serve_installs_what_the_demo_needs_too() -> None:
    makefile = (REPOSITORY / "Makefile").read_text()
    recipe = re.search(r"^\$\(VENV\)/\.serving:.*\n((?:\t.*\n)+)", makefile, re.MULTILINE)
    assert recipe
    assert "--editable '.[serving,demo]'" in recipe[1]
