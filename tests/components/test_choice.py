"""Which candidate is kept, and which model may go out."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.deploy.gate import refusal_of
from components.deploy.place import put_in_place, roll_back
from components.evaluate.candidates import choose
from sub_module.errors import ConfigError, ModelError


@pytest.mark.parametrize(
    ("candidates", "keys", "best"),
    [
        pytest.param([{"EIR": 0.5}], ["EIR"], 0, id="one"),
        pytest.param([{"EIR": 0.5}, {"EIR": 0.6}], ["EIR"], 1, id="the higher"),
        pytest.param([{"EIR": 0.5}, {"EIR": 0.5}], ["EIR"], 0, id="a draw: the first"),
        pytest.param(
            [{"EIR": 0.5, "mAP": 0.1}, {"EIR": 0.5, "mAP": 0.2}], ["EIR", "mAP"], 1, id="a tie"
        ),
        pytest.param([{"mAP": 0.9}, {"mAP": 0.1, "dv_mAP": 0.1}], ["dv_mAP"], 1, id="one has none"),
    ],
)
def test_choose(candidates: list[dict[str, float]], keys: list[str], best: int) -> None:
    assert choose(candidates, keys) == best


def test_unknown_key() -> None:
    with pytest.raises(ConfigError, match=r"'eir'.*EIR"):
        choose([{"EIR": 0.5}], ["eir"])


@pytest.mark.parametrize(
    ("eir", "in_use", "word"),
    [
        pytest.param(0.9, None, None, id="the first model"),
        pytest.param(0.9, 0.905, None, id="worse within the tolerance"),
        pytest.param(0.9, 0.92, "in use", id="worse"),
        pytest.param(0.4, None, "min_eir", id="below the least"),
        pytest.param(0.4, 0.3, "min_eir", id="better, but below the least"),
    ],
)
def test_gate(eir: float, in_use: float | None, word: str | None) -> None:
    refusal = refusal_of(eir, in_use, min_eir=0.5, tolerance=0.01)
    assert (refusal is None) if word is None else (refusal is not None and word in refusal)


def test_models_are_put_in_place(tmp_path: Path) -> None:
    models, exported = tmp_path / "models", tmp_path / "exported"
    exported.mkdir()
    (exported / "model.onnx").write_bytes(b"one")
    first = put_in_place(exported, models, "r1")
    assert (models / "current").resolve() == first
    assert put_in_place(exported, models, "r1") == first, "the same content is the same version"
    (exported / "model.onnx").write_bytes(b"two")
    second = put_in_place(exported, models, "r1")
    assert (models / "current" / "model.onnx").read_bytes() == b"two"
    assert (first / "model.onnx").read_bytes() == b"one", "what was in use stays as it is"
    assert {path.name for path in models.iterdir()} == {
        *("current", "previous", first.name, second.name)
    }
    assert put_in_place(exported, models, "r1") == second
    assert roll_back(models) == first.resolve(), "the same again changed nothing"
    assert (models / "current").resolve() == first
    assert roll_back(models) == second.resolve()


def test_nothing_to_roll_back_to(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no model was in use before"):
        roll_back(tmp_path)
