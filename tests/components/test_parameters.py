"""The config and the overrides of a run on a cluster, as its first step gets them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from components.parameters import (
    CONFIG_VARIABLE,
    as_variable,
    compiled_config,
    given_overrides,
)
from components.step import Step
from sub_module.engine.config import load_config
from sub_module.errors import ConfigError
from sub_module.files import read_json


@pytest.fixture
def uploaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CONFIG_VARIABLE, json.dumps(load_config("plate_training")))


@pytest.mark.usefixtures("uploaded")
def test_config_of_the_version(tmp_path: Path) -> None:
    step = Step("record", str(tmp_path), "plate_training-v1-abcdef12")
    # KFP hands every whole number on as a float.
    given = step.resolve_config("compiled", {"train.max_epochs": 2.0})
    assert given == {"train.max_epochs": 2.0}
    config = read_json(step.run_dir / "config.json")
    assert config["train"]["max_epochs"] == 2
    assert type(config["train"]["max_epochs"]) is int
    assert "cluster" not in config, "where a run runs changes nothing of it"
    assert step.config == config


@pytest.mark.usefixtures("uploaded")
def test_overrides_are_checked_against_it(tmp_path: Path) -> None:
    step = Step("record", str(tmp_path), "r")
    with pytest.raises(ConfigError, match=r"nearest is train\.max_epochs"):
        step.resolve_config("compiled", {"train.max_epoch": 2})
    assert not step.run_dir.exists()


@pytest.mark.parametrize(
    "text", ["$(HOME)", "${trialParameters.lr}", "{{workflow.name}}", "{{{=1+1}}}", "\\$(x)", "판"]
)
def test_nothing_of_a_config_is_filled_in(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As Kubernetes, Katib and Argo would."""
    config = {"name": text, text: [{"deep": {}}]}
    value = as_variable(config)
    assert "$" not in value
    assert "{{" not in value
    monkeypatch.setenv(CONFIG_VARIABLE, value)
    assert compiled_config() == config


@pytest.mark.parametrize("value", [None, "", "{", "[1]", "3"])
def test_no_config(value: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(CONFIG_VARIABLE, raising=False)
    if value is not None:
        monkeypatch.setenv(CONFIG_VARIABLE, value)
    with pytest.raises(ConfigError, match=f"{CONFIG_VARIABLE} holds no config"):
        compiled_config()


def test_overrides_themselves(tmp_path: Path) -> None:
    assert given_overrides({}, tmp_path) == {}
    assert given_overrides({"train.lr": 0.1}, tmp_path) == {"train.lr": 0.1}
