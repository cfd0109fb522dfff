"""Which model a standard's plates are read with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sub_module.engine import shipped
from sub_module.engine.infer import SHIPPED_MODEL
from sub_module.engine.shipped import SHIPPED_MODELS, model_for, model_to_open, open_detector
from sub_module.errors import ConfigError, ModelError
from sub_module.plates import PlateStandard
from tests.standards import TINY, flat_config, flat_file, kr_standard, tiny_standard

_FLAT = PlateStandard.from_config(flat_config())


def _trained_for(plates: dict[str, Any], folder: Path) -> Path:
    """As much of an exported model as says what it was trained for."""
    folder.mkdir(parents=True)
    settings = {"format": 1, "graphs": {}, "model": {}, "standard": plates}
    (folder / "settings.json").write_text(json.dumps(settings))
    return folder


def test_the_shipped_models_are_there() -> None:
    assert SHIPPED_MODELS[0] == SHIPPED_MODEL
    assert all((model / "settings.json").is_file() for model in SHIPPED_MODELS)


def test_one_that_ships_reads_what_it_was_trained_for(tmp_path: Path) -> None:
    assert model_for(tmp_path, kr_standard()) == SHIPPED_MODEL
    assert model_for(tmp_path, _FLAT) == SHIPPED_MODEL, "it knows all of its layouts and characters"


def test_trained_for_it_comes_before_able_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = [_trained_for(flat_config(), tmp_path / name) for name in ("first", "second")]
    monkeypatch.setattr(shipped, "SHIPPED_MODELS", (SHIPPED_MODEL, *others))
    assert model_for(tmp_path, kr_standard()) == SHIPPED_MODEL
    assert model_for(tmp_path, _FLAT) == others[0]


def test_the_deployed_one_comes_first_if_it_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kr = kr_standard().to_config()
    deployed = _trained_for(kr, tmp_path / "models" / "current")
    monkeypatch.setattr(
        shipped, "SHIPPED_MODELS", (_trained_for(flat_config(), tmp_path / "shipped"),)
    )
    assert model_for(tmp_path, kr_standard()) == deployed
    assert model_for(tmp_path, _FLAT) == deployed


def test_a_deployed_one_that_cannot_is_passed_over(tmp_path: Path) -> None:
    deployed = _trained_for(TINY, tmp_path / "models" / "current")
    assert model_for(tmp_path, tiny_standard()) == deployed
    assert model_for(tmp_path, kr_standard()) == SHIPPED_MODEL


def test_a_deployed_one_that_is_damaged_is_told(tmp_path: Path) -> None:
    (tmp_path / "models" / "current").mkdir(parents=True)
    with pytest.raises(ModelError, match=r"settings\.json"):
        model_for(tmp_path, kr_standard())


def test_plates_that_no_model_reads(tmp_path: Path) -> None:
    with pytest.raises(ModelError) as caught:
        model_for(tmp_path, tiny_standard())
    assert str(caught.value).startswith("no model here reads plates of the standard tiny (")
    assert "platenet-kr: it knows no layout stacked" in str(caught.value)


def test_without_a_standard_all_is_as_it_was(tmp_path: Path) -> None:
    assert model_to_open(tmp_path, None, None) == (SHIPPED_MODEL, None)
    (tmp_path / "models" / "current").mkdir(parents=True)
    assert model_to_open(tmp_path, None, None) == (tmp_path / "models" / "current", None)
    assert model_to_open(tmp_path, tmp_path, None) == (tmp_path, None)


def test_opened_for_a_standard(tmp_path: Path) -> None:
    assert open_detector(tmp_path, None, str(flat_file(tmp_path))).standard == _FLAT
    named = open_detector(tmp_path / "home", SHIPPED_MODEL, "kr")
    assert named.standard == kr_standard()
    tiny = tmp_path / "tiny.json"
    tiny.write_text(json.dumps({"plates": TINY}))
    with pytest.raises(ModelError, match="stacked"):
        open_detector(tmp_path, SHIPPED_MODEL, str(tiny))
    with pytest.raises(ConfigError, match="neither a"):
        open_detector(tmp_path, None, "xx")
