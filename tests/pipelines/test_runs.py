"""Names and records of runs."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import pytest

from components.records import RunRecord, read_run, read_steps
from pipelines.runs import forget_unfinished, list_runs, run_name, write_run
from sub_module.errors import DataError
from sub_module.files import write_json


def test_name_follows_the_work(tmp_path: Path) -> None:
    config = {"dataset": {"annotations": None, "draw": {"photos": None}}, "train": {"lr": 1}}
    other = {**config, "train": {"lr": 2}}
    names = [
        run_name("plates", "v1", config, tmp_path),
        run_name("plates", "v2", config, tmp_path),
        run_name("others", "v1", config, tmp_path),
        run_name("plates", "v1", other, tmp_path),
    ]
    assert names[0].startswith("plates-v1-")
    assert len(set(names)) == len(names)
    assert run_name("plates", "v1", config, tmp_path / "elsewhere") == names[0]


@pytest.mark.parametrize("place", ["here", "volume"])
@pytest.mark.parametrize("key", ["annotations", "photos"])
def test_name_follows_the_data(
    key: str, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, volume = tmp_path / "here", tmp_path / "volume"
    for folder in (here, volume):
        folder.mkdir()
    monkeypatch.chdir(here)
    data = tmp_path / place / "my set"
    data.mkdir()
    own = {"annotations": "my set"}
    config = {"dataset": own if key == "annotations" else {"draw": {"photos": "my set"}}}
    before = run_name("plates", "v1", config, volume)
    (data / "a.json").write_text("{}")
    assert run_name("plates", "v1", config, volume) != before


def test_name_follows_the_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.runs._ROOT", tmp_path)
    before = run_name("plates", "v1", {}, tmp_path)
    (tmp_path / "sub_module").mkdir()
    (tmp_path / "sub_module" / "model.py").write_text("WIDTH = 3")
    assert run_name("plates", "v1", {}, tmp_path) != before


def test_records(tmp_path: Path) -> None:
    assert list_runs(tmp_path / "runs") == []
    younger = RunRecord("b", "plates", "v1", {"train.lr": 2}, started=2.0)
    older = RunRecord("c", "plates", "v1", started=1.0, finished=3.0, state="succeeded")
    for record in (younger, older):
        write_run(tmp_path / "runs" / record.name, record)
    (tmp_path / "runs" / "latest").symlink_to("c")
    (tmp_path / "runs" / "no run").mkdir()
    assert list_runs(tmp_path / "runs") == [older, younger]
    write_run(tmp_path / "runs/b", replace(younger, state="failed", error="no"))
    record = read_run(tmp_path / "runs/b")
    assert record is not None
    assert record.error == "no"
    assert read_run(tmp_path / "runs/no run") is None


@pytest.mark.parametrize(
    "text",
    ["{", "[]", '{"name": "b"}', '{"name": "b", "pipeline": "p", "version": "v", "started": "x"}'],
    ids=["cut short", "a list", "fields are missing", "no number"],
)
def test_damaged_record_leaves_the_others_alone(tmp_path: Path, text: str) -> None:
    good = RunRecord("a", "plates", "v1", started=1.0)
    write_run(tmp_path / "a", good)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "run.json").write_text(text)
    damaged, other = list_runs(tmp_path)
    assert other == good
    assert (damaged.name, damaged.state) == ("b", "failed")
    assert "b/run.json: damaged" in str(damaged.error)
    assert "\n" not in str(damaged.error)


def test_field_of_a_later_release_is_passed_over(tmp_path: Path) -> None:
    record = RunRecord("a", "plates", "v1", {"train.lr": 2}, started=1.0)
    write_json(tmp_path / "a" / "run.json", {**asdict(record), "cost": 3})
    assert list_runs(tmp_path) == [record]


def test_steps(tmp_path: Path) -> None:
    assert read_steps(tmp_path) == {}
    write_json(tmp_path / "steps/train.json", {"component": "train", "started": 1.0})
    (tmp_path / "steps/.partial.json").write_text("{")
    (step,) = read_steps(tmp_path).values()
    assert (step.component, step.finished, step.error, step.mendable) == (
        "train",
        None,
        None,
        False,
    )


def test_steps_stand_in_their_order(tmp_path: Path) -> None:
    for name, started in (("train", 2.0), ("record", 1.0)):
        step = {"component": name, "started": started, "metrics": {"images": 3, "EIR": 0.5}}
        write_json(tmp_path / f"steps/{name}.json", step)
    steps = read_steps(tmp_path)
    assert list(steps) == ["record", "train"]
    assert [str(value) for value in steps["train"].metrics.values()] == ["3", "0.5"]
    (tmp_path / "steps/train.json").write_text('{"component": "train", "seconds": "long"}')
    with pytest.raises(DataError, match=r"steps/train\.json: damaged: seconds"):
        read_steps(tmp_path)


def test_only_finished_steps_are_remembered(tmp_path: Path) -> None:
    for name, state in {
        "done": {"finished": 2.0},
        "killed": {"finished": None},
        "failed": {"finished": 2.0, "error": "no"},
    }.items():
        write_json(tmp_path / f"steps/{name}.json", {"component": name, **state})
    (tmp_path / "steps/cut.json").write_text('{"component": "cu')
    (tmp_path / "steps/other.json").write_text("[]")
    forget_unfinished(tmp_path)
    assert [path.name for path in (tmp_path / "steps").iterdir()] == ["done.json"]
    forget_unfinished(tmp_path / "nothing")
