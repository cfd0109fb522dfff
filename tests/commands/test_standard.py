"""`--standard` on the commands that read here."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from pipeline_utils import app
from sub_module.errors import ConfigError
from tests.standards import REPOSITORY, flat_config, flat_file

SAMPLE = REPOSITORY / "docs" / "samples" / "motorcycle.jpg"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLATEFLOW_HOME", str(tmp_path / "home"))


def typed(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [*map(str, arguments)])


def test_read(tmp_path: Path) -> None:
    file = tmp_path / "named.json"
    grammars = [{"name": "K7", "patterns": ["DDLDDDD"], "letters": "ABCDE"}]
    file.write_text(json.dumps({"plates": {**flat_config(), "grammars": grammars}}))
    done = typed("read", SAMPLE, "--standard", file, "--out", tmp_path)
    assert done.exit_code == 0, done.exception
    assert "16E9927 (K7)  one_line  score" in done.stdout
    assert "two_line" not in done.stdout
    assert (tmp_path / "motorcycle.read.jpg").is_file()
    rows = json.loads(typed("read", SAMPLE, "--standard", file, "--json").stdout)
    sure = max(rows[0]["readings"], key=lambda reading: reading["score"])
    assert (sure["text"], sure["raw"], sure["grammar"]) == ("16E9927", "16E9927", "K7")


def test_read_as_ever_without(tmp_path: Path) -> None:
    with_it, without = (
        typed("read", SAMPLE, "--json", *options).stdout for options in (["--standard", "kr"], [])
    )
    assert with_it == without


@pytest.mark.parametrize("command", ["read", "evaluate", "serve", "predict", "demo"])
def test_a_standard_that_is_none(command: str, tmp_path: Path) -> None:
    what = {"read": [SAMPLE], "evaluate": [SAMPLE.parent], "predict": [SAMPLE]}.get(command, [])
    done = typed(command, *what, "--standard", "xx")
    assert isinstance(done.exception, ConfigError)
    assert str(done.exception).startswith("plate standard 'xx' is neither ")


def test_preannotate(tmp_path: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    shutil.copy(SAMPLE, images)
    done = typed("dataset", "preannotate", images, "--standard", flat_file(tmp_path))
    assert done.exit_code == 0, done.exception
    labels = {
        shape["label"] for shape in json.loads((images / "motorcycle.json").read_text())["shapes"]
    }
    assert "l_board" in labels
    assert "r_board" not in labels
