"""Names and records of runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pipelines.runs import RunRecord, list_runs, read_run, read_steps, run_name, write_run
from sub_module.files import write_json


def test_name_follows_the_work(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    config = {"dataset": {"annotations": None, "draw": {"photos": None}}, "train": {"lr": 1}}
    other = {**config, "train": {"lr": 2}}
    own = {**config, "dataset": {"annotations": str(photos), "draw": {"photos": None}}}
    names = [
        run_name("plates", "v1", config, {}),
        run_name("plates", "v2", config, {}),
        run_name("others", "v1", config, {}),
        run_name("plates", "v1", other, {"train.lr": 2}),
        run_name("plates", "v1", own, {"dataset.annotations": str(photos)}),
        run_name("plates", "v1", own, {}),
    ]
    assert names[0] == "plates-v1"
    assert names[4] == names[5], "the data count, not who named them"
    assert len(set(names)) == len(names) - 1
    (photos / "a.json").write_text("{}")
    assert run_name("plates", "v1", own, {}) not in names, "other data, another run"


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
