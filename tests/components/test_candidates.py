"""Which checkpoints are compared, and what is noted of each; with real ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from components.evaluate.candidates import best_candidate
from components.evaluate.checkpoints import further_checkpoints
from components.evaluate.curves import precision_curves
from components.step import Step
from dataset_tools.record import coco_of
from sub_module.engine.checkpoint import build_model, description
from sub_module.engine.config import load_config
from sub_module.errors import ConfigError, ModelError
from sub_module.files import read_json
from sub_module.plates import PlateStandard
from tests.factories import write_set
from tests.standards import REPOSITORY, kr_standard, tiny_standard
from tests.sub_module.small import small_config


def _config(candidates: Any) -> dict[str, Any]:
    return {"evaluate": {"keys": ["EIR"], "candidates": candidates}}


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    # A name that would be a pattern of its own.
    root = tmp_path / "home [1]"
    for name in ("searches/t/1/best.pth", "searches/t/2/best.pth", "runs/a/last.pth"):
        (root / name).parent.mkdir(parents=True)
        (root / name).touch()
    (tmp_path / "elsewhere.pth").touch()
    (root / "link.pth").symlink_to(tmp_path / "elsewhere.pth")
    return root


@pytest.mark.parametrize(
    ("patterns", "names", "reason"),
    [
        ([], [], "none is asked for"),
        (["runs/a/last.pth"], ["runs/a/last.pth"], "a file"),
        (
            ["searches/*/*/best.pth"],
            ["searches/t/1/best.pth", "searches/t/2/best.pth"],
            "a pattern",
        ),
        (
            ["searches/**/best.pth", "searches/t/1/best.pth"],
            ["searches/t/1/best.pth", "searches/t/2/best.pth"],
            "each once",
        ),
    ],
)
def test_further_checkpoints(
    volume: Path, patterns: list[str], names: list[str], reason: str
) -> None:
    assert further_checkpoints(_config(patterns), volume) == [volume / n for n in names], reason
    absolute = [str(volume / name) for name in names]
    if not any("*" in pattern for pattern in patterns):
        pattern = absolute[0].replace("[1]", "[[]1[]]") if absolute else ""
        again = further_checkpoints(_config([pattern] if pattern else []), volume)
        assert again == [volume / n for n in names], "an absolute path of the volume does as well"


def test_checkpoints_of_the_run_itself(volume: Path) -> None:
    config = _config(["runs/{run}/*.pth"])
    assert further_checkpoints(config, volume, "a") == [volume / "runs/a/last.pth"]
    assert further_checkpoints(config, volume) == [], "it has not trained yet"
    with pytest.raises(ConfigError, match=r"no file runs/b/\*\.pth in"):
        further_checkpoints(config, volume, "b")


@pytest.mark.parametrize(
    ("candidates", "words"),
    [
        pytest.param("runs/a/last.pth", r"expected a list of paths, got \"runs", id="no list"),
        pytest.param([1], r"expected a list of paths, got \[1\]", id="no path"),
        pytest.param(["runs/b/*.pth"], r"no file runs/b/\*\.pth in", id="fits nothing"),
        pytest.param(["searches/t"], r"no file searches/t in", id="a directory"),
        pytest.param(["../elsewhere.pth"], r"elsewhere\.pth does not lie in", id="above"),
        pytest.param(["link.pth"], r"link\.pth does not lie in", id="leads elsewhere"),
    ],
)
def test_further_checkpoints_refused(volume: Path, candidates: Any, words: str) -> None:
    with pytest.raises(ConfigError, match=rf"^evaluate\.candidates: .*{words}"):
        further_checkpoints(_config(candidates), volume)


def _platenet(width: int) -> dict[str, Any]:
    config: dict[str, Any] = small_config(tiny_standard())["model"]
    return config | {"widths": dict.fromkeys(config["widths"], width)}


def _mask_rcnn() -> dict[str, Any]:
    config = load_config(str(REPOSITORY / "configs/models/mask_rcnn_swin_nano.py"))
    return dict(config["model"])


def _save(path: Path, standard: PlateStandard, config: dict[str, Any], **more: Any) -> Path:
    """A checkpoint as training writes it, with random weights."""
    torch.manual_seed(1)
    model = build_model(config, standard)
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"state_dict": model.state_dict(), "plateflow": description(config, standard)}
    torch.save(content | more, path)
    return path


@pytest.fixture
def step(tmp_path: Path) -> Step:
    standard = tiny_standard()
    step = Step("evaluate", str(tmp_path / "home"), "r1")
    write_set(step.run_dir / "record", standard, 3)
    coco = coco_of(step.run_dir / "record", standard)
    (step.run_dir / "record" / "val.json").write_text(json.dumps(coco))
    config = _config(["searches/*/best.pth"]) | {"plates": standard.to_config()}
    (step.run_dir / "config.json").write_text(json.dumps(config))
    return step


def test_candidates_of_several_origins(step: Step) -> None:
    own = _save(step.run_dir / "train/best.pth", step.standard, _platenet(8))
    wider = step.volume / "searches/t1/best.pth"
    _save(wider, step.standard, _platenet(12), meta={"epoch": 7, "iter": 70})
    val = step.run_dir / "record/val.json"
    best, scores, evaluation = best_candidate(step, [own, own], val)
    noted = read_json(step.folder / "candidates.json")
    assert [(row["checkpoint"], row["epoch"]) for row in noted["candidates"]] == [
        ("runs/r1/train/best.pth", None),
        ("searches/t1/best.pth", 7),
    ]
    assert {row["family"] for row in noted["candidates"]} == {"PlateNet"}
    figures = [row["metrics"] for row in noted["candidates"]]
    assert all(row.keys() == figures[0].keys() for row in figures)
    assert "dv_mAP" not in figures[0]
    assert best == [own, wider][noted["best"]]
    assert scores == figures[noted["best"]]
    assert (evaluation.EIR, evaluation.num_images) == (scores["EIR"], 3)


def test_families_are_compared_by_what_both_have_and_by_what_one_has(step: Step) -> None:
    own = _save(step.run_dir / "train/best.pth", step.standard, _platenet(8))
    other = _save(step.volume / "searches/t1/best.pth", step.standard, _mask_rcnn())
    val = step.run_dir / "record/val.json"
    step.config["evaluate"]["keys"] = ["dv_mAP", "EIR"]
    best, scores, evaluation = best_candidate(step, [own], val)
    noted = read_json(step.folder / "candidates.json")["candidates"]
    assert [row["family"] for row in noted] == ["PlateNet", "MaskRCNNSwin"]
    assert ["dv_mAP" in row["metrics"] for row in noted] == [False, True]
    assert best == other, "a model without the figure loses to any that has it"
    assert scores["dv_mAP"] == evaluation.dv_mAP
    assert {curve.kind for curve in precision_curves(evaluation, step.standard)} == set(
        evaluation.precisions
    )
    assert set(evaluation.precisions) == {"box", "divided"}


def _of_another_standard(path: Path) -> None:
    _save(path, kr_standard(), _platenet(8))


def _damaged(path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.write_bytes(b"PK cut short")


def _of_other_widths(path: Path) -> None:
    _save(
        path, tiny_standard(), _platenet(8), plateflow=description(_platenet(12), tiny_standard())
    )


@pytest.mark.parametrize(
    ("write", "words"),
    [
        pytest.param(_of_another_standard, r"standard kr \(\w+\), not tiny", id="other plates"),
        pytest.param(_damaged, "damaged", id="damaged"),
        pytest.param(_of_other_widths, "is of shape", id="weights that do not fit"),
    ],
)
def test_a_bad_candidate_is_named_before_any_is_scored(step: Step, write: Any, words: str) -> None:
    own = _save(step.run_dir / "train/best.pth", step.standard, _platenet(8))
    write(step.volume / "searches/t1/best.pth")
    # No image is read: there is no such file.
    with pytest.raises(ModelError, match=rf"searches/t1/best\.pth: .*{words}"):
        best_candidate(step, [own], step.run_dir / "record/none.json")
