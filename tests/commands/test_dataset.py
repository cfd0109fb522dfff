"""What commands say of a config that is no pipeline config, or of drawing that cannot be."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline_utils import app
from sub_module.engine.config import load_config
from sub_module.errors import ConfigError
from tests.standards import REPOSITORY

PLATES = str(REPOSITORY / "configs" / "plates" / "eu.py")
DRAWN = str(REPOSITORY / "configs" / "datasets" / "drawn.py")
SAMPLE = str(REPOSITORY / "docs" / "samples" / "coffee.jpg")


def refused(*arguments: str) -> str:
    done = CliRunner().invoke(app, [*arguments])
    assert isinstance(done.exception, ConfigError), done.exception
    assert done.stdout == ""
    return str(done.exception)


@pytest.mark.parametrize(
    ("arguments", "config", "part"),
    [
        (["dataset", "draw", "out", "--config"], PLATES, "dataset"),
        (["dataset", "draw", "out", "--config"], DRAWN, "plates"),
        (["dataset", "draw-traps", "out", "--config"], PLATES, "dataset"),
        (["dataset", "show", "--effects"], PLATES, "dataset"),
        (["dataset", "show", ".", "--config"], DRAWN, "plates"),
        (["dataset", "validate", ".", "--config"], DRAWN, "plates"),
        (["predict", SAMPLE, "--config"], DRAWN, "plates"),
        (["demo", "--config"], DRAWN, "plates"),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, list) else Path(value).stem,
)
def test_a_config_without_a_part(
    arguments: list[str],
    config: str,
    part: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    line = refused(*arguments, config)
    assert line == f"{config}: no pipeline config: it has no `{part}`"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["draw", "draw-traps", "show"])
@pytest.mark.parametrize(("name", "value"), [("num_images", "5"), ("photos", 3), ("potos", None)])
def test_settings_that_nothing_can_be_drawn_with(
    command: str, name: str, value: object, tmp_path: Path
) -> None:
    config = load_config("plate_training")
    config["dataset"]["draw"][name] = value
    file, out = tmp_path / "config.json", str(tmp_path / "out.png")
    file.write_text(json.dumps(config))
    named = ["--out", out, "--effects"] if command == "show" else [out, "--config"]
    assert refused("dataset", command, *named, str(file)).startswith(f"dataset.draw.{name} ")
    assert [path.name for path in tmp_path.iterdir()] == ["config.json"]
