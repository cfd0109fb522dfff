"""`add-precision`: what it refuses before anything is read or written."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner, Result

from pipeline_utils import app
from sub_module.engine.infer import SHIPPED_MODEL
from sub_module.errors import ConfigError
from sub_module.files import tree_hash
from tests.standards import REPOSITORY

SAMPLES = REPOSITORY / "docs" / "samples"


def add(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["add-precision", "int8", *map(str, arguments)])


def test_the_model_is_named() -> None:
    done = add(SAMPLES, SAMPLES.parent)
    assert done.exit_code == 2
    assert "--model" in done.stderr


def test_the_same_images_twice() -> None:
    before = tree_hash(SHIPPED_MODEL)
    done = add(SAMPLES, SAMPLES / ".." / "samples", "--model", SHIPPED_MODEL)
    assert isinstance(done.exception, ConfigError)
    assert "CALIBRATION and LABELLED are the same" in str(done.exception)
    assert tree_hash(SHIPPED_MODEL) == before
