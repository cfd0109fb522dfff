"""Configs: found, made plain, overridden with checks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sub_module.engine.config import load_config, load_pipeline_config, parse_overrides
from sub_module.errors import ConfigError
from tests.standards import REPOSITORY

BASE = """
from collections import OrderedDict
_hidden = 3
model = dict(type=OrderedDict, sizes=(64, 48), hidden=_hidden)
tables = [dict(a=1)]
train = dict(max_epochs=2, lr=1e-3, amp=False, resume=None, schedule=dict(warm_up=10), name="a")
"""
CHILD = """
from mmengine.config import read_base
with read_base():
    from .base import *
name = "small"
train.update(max_epochs=5)
"""


@pytest.fixture
def config_file(tmp_path: Path) -> str:
    (tmp_path / "base.py").write_text(BASE)
    (tmp_path / "small.py").write_text(CHILD)
    return str(tmp_path / "small.py")


def test_config_is_plain_data(config_file: str, tmp_path: Path) -> None:
    config = load_config(config_file)
    assert config["model"] == {
        "type": "collections.OrderedDict",
        "sizes": [64, 48],
        "hidden": 3,
    }
    assert config["train"]["max_epochs"] == 5
    assert set(config) == {"name", "model", "tables", "train"}
    (tmp_path / "snapshot.json").write_text(json.dumps(config))
    assert load_config(str(tmp_path / "snapshot.json")) == config


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        pytest.param("train.max_epochs", 7, 7, id="whole number"),
        pytest.param("train.max_epochs", 7.0, 7, id="KFP makes whole numbers floats"),
        pytest.param("train.lr", 1, 1.0, id="whole number for a float"),
        pytest.param("train.resume", "a.pth", "a.pth", id="anything for None"),
        pytest.param("train.resume", 2.0, 2, id="KFP's float for None"),
        pytest.param("train.amp", True, True, id="truth value"),
        pytest.param("model.sizes", [32.0, 24.0], [32, 24], id="KFP's floats in a list"),
        pytest.param("train.schedule", {"warm_up": 3}, {"warm_up": 3}, id="a table is merged"),
    ],
)
def test_override_fits(config_file: str, key: str, value: Any, expected: Any) -> None:
    config = load_config(config_file, {key: value})
    table, name = key.split(".")
    assert config[table][name] == expected
    assert type(config[table][name]) is type(expected)
    if isinstance(expected, list):
        assert [type(item) for item in config[table][name]] == [type(item) for item in expected]


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        pytest.param("train.max_epoch", 3, ["train.max_epoch'", "train.max_epochs"], id="typo"),
        pytest.param("max_epochs", 3, ["train.max_epochs"], id="table left out"),
        pytest.param("train.schedule.warmup", 3, ["train.schedule.warm_up"], id="deep typo"),
        pytest.param("train.lr.x", 3, ["unknown key", "train.lr"], id="below a leaf"),
        pytest.param("train.max_epochs", 2.5, ["train.max_epochs", "whole number"], id="fraction"),
        pytest.param("train.max_epochs", True, ["whole number", "true"], id="truth for a number"),
        pytest.param("train.amp", 1, ["true or false"], id="number for a truth value"),
        pytest.param("train.name", 1, ["text"], id="number for text"),
        pytest.param("train.lr", "fast", ["a number", '"fast"'], id="text for a number"),
        pytest.param("model.sizes", 3, ["a list"], id="number for a list"),
        pytest.param("model.sizes", [3, "x"], ["model.sizes", "whole number"], id="list item"),
        pytest.param(
            "tables", [1], ["tables", "a table", "got 1"], id="number for a table in a list"
        ),
        pytest.param("train.schedule", 3, ["train.schedule.warm_up"], id="a table is no leaf"),
        pytest.param("train.schedule", {"x": 3}, ["train.schedule.x"], id="unknown in a table"),
    ],
)
def test_override_refused(config_file: str, key: str, value: Any, words: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(config_file, {key: value})
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message


LABEL = "nvidia.com/gpu.product"


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        pytest.param({"pod.labels.disk": "ssd"}, {"disk": "ssd"}, id="a key"),
        pytest.param({f"pod.labels.{LABEL}": "A100"}, {LABEL: "A100"}, id="a key with dots"),
        pytest.param({"pod.labels": {LABEL: "A100"}}, {LABEL: "A100"}, id="a table"),
        pytest.param(
            {"pod.labels.a": 1, "pod.labels.b": 2.5, "pod.labels.a ": None},
            {"a": 1, "b": 2.5, "a ": None},
            id="several",
        ),
        pytest.param({"pod": {"labels": {"a": "b"}}}, {"a": "b"}, id="from above"),
        pytest.param({"pod.labels": {}}, {}, id="none"),
    ],
)
def test_empty_table_takes_any_key(overrides: dict[str, Any], expected: dict[str, Any]) -> None:
    config: dict[str, Any] = {"pod": {"labels": {}, "size": 1}}
    assert load_config(config, overrides)["pod"] == {"labels": expected, "size": 1}
    assert config == {"pod": {"labels": {}, "size": 1}}, "what is given is not changed"


def test_cluster_has_its_own_schema() -> None:
    config = {"cluster": {"secret": "mine", "pod": {"cpu": "1"}}, "name": "x"}
    overrides = {"cluster.secret": None, "cluster.pod.cpu": 2}
    changed = load_config(config, overrides)
    assert changed["cluster"] == {"secret": None, "pod": {"cpu": 2}}
    with pytest.raises(ConfigError, match="expected text, got null"):
        load_config(config, {"name": None})


def test_empty_table_is_no_leaf() -> None:
    with pytest.raises(ConfigError, match=r"^pod\.labels: holds further keys"):
        load_config({"pod": {"labels": {}}}, {"pod.labels": 3})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("x = = 3", ["invalid syntax"], id="no Python"),
        pytest.param("x = lambda: 3", ["not JSON serializable"], id="no plain data"),
        pytest.param("x = 1 / 0", ["division by zero"], id="it fails"),
        pytest.param(CHILD, ["base.py"], id="its base is missing"),
    ],
)
def test_unusable_config(tmp_path: Path, text: str, words: list[str]) -> None:
    (tmp_path / "broken.py").write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_config(str(tmp_path / "broken.py"))
    assert "\n" not in str(caught.value)
    for word in ["broken.py", *words]:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("content", "reason"),
    [("{", "not a usable config"), ("[]", "no table")],
    ids=["cut short", "a list"],
)
def test_unusable_snapshot(tmp_path: Path, content: str, reason: str) -> None:
    (tmp_path / "broken.json").write_text(content)
    with pytest.raises(ConfigError, match=reason):
        load_config(str(tmp_path / "broken.json"))


def test_unknown_name_lists_the_configs() -> None:
    with pytest.raises(ConfigError, match="plate_training"):
        load_config("plate_trainin")
    with pytest.raises(ConfigError, match=r"nowhere/x\.py"):
        load_config("nowhere/x.py")


@pytest.mark.parametrize(
    ("config", "parts", "missing"),
    [
        pytest.param("configs/plates/eu.py", ["dataset.draw", "plates"], "dataset", id="plates"),
        pytest.param("configs/datasets/drawn.py", ["dataset", "plates"], "plates", id="a data set"),
        pytest.param("plate_training", ["plates", "dataset.paint"], "dataset.paint", id="deeper"),
        pytest.param("plate_training", ["name.first"], "name.first", id="no table"),
    ],
)
def test_what_a_pipeline_config_lacks(config: str, parts: list[str], missing: str) -> None:
    file = str(REPOSITORY / config) if config.endswith(".py") else config
    with pytest.raises(ConfigError) as caught:
        load_pipeline_config(file, *parts)
    assert str(caught.value) == f"{file}: no pipeline config: it has no `{missing}`"


def test_a_pipeline_config_that_has_its_parts() -> None:
    whole = load_pipeline_config("plate_training", "dataset.draw", "plates")
    assert whole == load_pipeline_config("plate_training") == load_config("plate_training")


def test_main_config_is_complete() -> None:
    config = load_config("plate_training")
    sections = {"plates", "dataset", "model", "train", "evaluate", "test", "deploy", "cluster"}
    assert set(config) == {"name", *sections}


@pytest.mark.parametrize(
    ("pair", "expected"),
    [
        ("train.max_epochs=3", {"train.max_epochs": 3}),
        ("train.lr=1e-3", {"train.lr": 1e-3}),
        ("train.lr=2.5E+2", {"train.lr": 250.0}),
        ("dataset.annotations=my set", {"dataset.annotations": "my set"}),
        ("x=a=b", {"x": "a=b"}),
        ("keys=[EIR, mAP]", {"keys": ["EIR", "mAP"]}),
        ("x=", {"x": None}),
        ("x=nan", {"x": "nan"}),
    ],
)
def test_parse_overrides(pair: str, expected: dict[str, Any]) -> None:
    assert parse_overrides([pair]) == expected


def test_parse_no_overrides() -> None:
    assert parse_overrides([]) == {}


@pytest.mark.parametrize(
    ("pair", "words"),
    [
        pytest.param("train.max_epochs", "KEY=VALUE", id="no value"),
        pytest.param("=3", "KEY=VALUE", id="no key"),
        pytest.param("x=[1", "not YAML", id="cut short"),
        pytest.param("x=2024-05-01", """--set 'x="2024-05-01"'""", id="a date, which is a name"),
        pytest.param("x=2024-13-45", "quote", id="a date that there is not"),
        pytest.param("x=[2024-05-01]", "quote", id="a date in a list"),
        pytest.param("x=.nan", "quote", id="a number that JSON does not have"),
    ],
)
def test_parse_refuses(pair: str, words: str) -> None:
    with pytest.raises(ConfigError, match="--set") as caught:
        parse_overrides([pair])
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_quoted_as_the_message_says() -> None:
    assert parse_overrides(['x="2024-05-01"']) == {"x": "2024-05-01"}
