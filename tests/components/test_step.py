"""A step's record: done once, redone when its inputs change, failures told."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from kfp import dsl

from components.commit import commit_of_code
from components.step import Result, Step, run_step
from sub_module.errors import DataError
from sub_module.files import read_json


@dataclass
class Volume:
    """A volume with a run, and a step that counts how often it works."""

    root: Path
    worked: int = 0
    metadata: dict[str, Any] = field(default_factory=dict)

    def run(
        self,
        number: int = 1,
        work: Callable[[], Result] | None = None,
        inputs: tuple[dsl.Artifact, ...] = (),
    ) -> dsl.Metrics:
        step = Step("count", str(self.root), "r1")

        def count() -> Result:
            self.worked += 1
            out = step.folder / "out.txt"
            out.parent.mkdir(parents=True, exist_ok=True)
            out.write_text(str(step.config["number"]))
            return Result({"out": out}, {"EIR": 0.5})

        artifact = dsl.Dataset(uri=str(self.root / "kfp" / "out"))
        metrics = dsl.Metrics(uri=str(self.root / "kfp" / "metrics"))
        resolve = (str(self.root / "config.json"), {"number": number})
        run_step(step, work or count, inputs, {"out": artifact}, metrics, resolve)
        self.metadata = artifact.metadata
        return metrics

    @property
    def record(self) -> dict[str, Any]:
        record: dict[str, Any] = read_json(self.root / "runs/r1/steps/count.json")
        return record


@pytest.fixture
def volume(tmp_path: Path) -> Volume:
    (tmp_path / "config.json").write_text(json.dumps({"number": 1}))
    return Volume(tmp_path)


def test_record_says_what_ran(volume: Volume, monkeypatch: pytest.MonkeyPatch) -> None:
    commit_of_code.cache_clear()
    monkeypatch.setenv("PLATEFLOW_COMMIT", "a1b2c3d-dirty")
    volume.run(number=2)
    commit_of_code.cache_clear()
    assert volume.record["commit"] == "a1b2c3d-dirty"
    assert volume.record["overrides"] == {"number": 2}


def test_record_and_artifacts(volume: Volume) -> None:
    metrics = volume.run(number=3)
    record = volume.record
    assert record["outputs"] == {"out": "runs/r1/count/out.txt"}
    assert record["metrics"] == metrics.metadata == {"EIR": 0.5}
    assert record["error"] is None
    assert record["finished"] - record["started"] == pytest.approx(record["seconds"], abs=0.01)
    assert read_json(volume.root / "runs/r1/config.json") == {"number": 3}
    assert volume.metadata == {"path": "runs/r1/count/out.txt", "made": record["finished"]}
    assert (volume.root / "kfp/out").read_text() == "runs/r1/count/out.txt\n"


def test_done_with_the_same_inputs_is_not_done_again(volume: Volume) -> None:
    volume.run()
    first, metadata = volume.record, volume.metadata
    metrics = volume.run()
    assert volume.worked == 1
    assert volume.record == first
    assert (volume.metadata, metrics.metadata) == (metadata, {"EIR": 0.5})


def test_changes_are_done_again(volume: Volume) -> None:
    volume.run()
    volume.run(number=2)
    assert volume.worked == 2, "another config"
    made_of = dsl.Dataset(metadata={"path": "a", "made": 1.0})
    volume.run(number=2, inputs=(made_of,))
    assert volume.worked == 3, "another input"
    made_of.metadata["made"] = 2.0
    volume.run(number=2, inputs=(made_of,))
    assert volume.worked == 4, "an input that was made anew"
    (volume.root / "runs/r1/count/out.txt").unlink()
    volume.run(number=2, inputs=(made_of,))
    assert volume.worked == 5, "an output that is gone"
    volume.run(number=2, inputs=(made_of,))
    assert volume.worked == 5


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"finished": 1.0}'])
def test_damaged_record_is_forgotten(volume: Volume, text: str) -> None:
    volume.run()
    (volume.root / "runs/r1/steps/count.json").write_text(text)
    volume.run()
    assert volume.worked == 2
    assert volume.record["metrics"] == {"EIR": 0.5}


def test_config_that_fails_after_the_training_fails_first(volume: Volume) -> None:
    (volume.root / "config.json").write_text('{"number": 1, "evaluate": {"keys": ["eir"]}}')
    with pytest.raises(SystemExit):
        volume.run()
    assert volume.worked == 0
    assert "evaluate.keys" in volume.record["error"]


def test_changed_data_are_read_again(volume: Volume, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(volume.root)
    config = {"number": 1, "dataset": {"annotations": "my set"}}
    (volume.root / "config.json").write_text(json.dumps(config))
    data = volume.root / "my set"
    data.mkdir()
    volume.run()
    volume.run()
    assert volume.worked == 1
    (data / "a.json").write_text("{}")
    volume.run()
    assert volume.worked == 2


def _mistake() -> Result:
    raise DataError("a.jpg: truncated")


def _full() -> Result:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _forbidden() -> Result:
    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), "a.jpg")


def _crash() -> Result:
    raise ValueError("not my day")


@pytest.mark.parametrize(
    ("work", "exit_type", "error", "mendable"),
    [
        pytest.param(_mistake, SystemExit, "a.jpg: truncated", True, id="the user's to mend"),
        pytest.param(_full, SystemExit, "the disk that holds {root} is full", True, id="no room"),
        pytest.param(_forbidden, SystemExit, "a.jpg: Permission denied", True, id="no access"),
        pytest.param(_crash, ValueError, "ValueError: not my day", False, id="a crash"),
    ],
)
def test_failure_is_recorded(
    volume: Volume,
    work: Callable[[], Result],
    exit_type: type[BaseException],
    error: str,
    mendable: bool,
) -> None:
    with pytest.raises(exit_type) as caught:
        volume.run(work=work)
    if isinstance(caught.value, SystemExit):
        assert caught.value.code == 2
    assert volume.record["error"] == error.format(root=volume.root)
    assert volume.record["mendable"] is mendable
    volume.run()
    assert volume.record["error"] is None
    assert "mendable" not in volume.record


def test_config_mistake_is_the_first_steps_failure(volume: Volume) -> None:
    step = Step("count", str(volume.root), "r1")
    config = (str(volume.root / "config.json"), {"numbr": 3})
    with pytest.raises(SystemExit):
        run_step(step, _crash, resolve=config)
    assert "number" in volume.record["error"]


def test_published_names_reach_the_steps_to_come(volume: Volume) -> None:
    out = volume.root / "out.txt"
    out.touch()
    volume.run(work=lambda: Result({"out": out}, published={"training_set": "train-v3"}))
    assert volume.metadata["training_set"] == "train-v3"
    assert volume.record["published"] == {"training_set": "train-v3"}
    volume.run(work=_crash)
    assert volume.metadata["training_set"] == "train-v3", "of a step that is done already too"


def test_done_elsewhere_is_done_again_here(volume: Volume, monkeypatch: pytest.MonkeyPatch) -> None:
    volume.run()
    for name, place in {
        "PLATEFLOW_STORE": "gs://bucket",
        "PLATEFLOW_DATABASE_URL": "mysql+pymysql://u:secret@db.example/plates?password=secret",
        "PLATEFLOW_DATASETS": "https://u:secret@git.example/sets.git",
    }.items():
        worked = volume.worked
        monkeypatch.setenv(name, place)
        volume.run()
        volume.run()
        assert volume.worked == worked + 1, name
    monkeypatch.setenv("PLATEFLOW_DATABASE_URL", "mysql+pymysql://u:other@db.example/plates")
    volume.run()
    assert volume.worked == 4, "a new password is no other place"
    assert volume.record["inputs"]["places"]["datasets"] == "git.example/sets.git"
    assert "secret" not in json.dumps(volume.record)


def test_several_files_as_one_output(tmp_path: Path) -> None:
    step = Step("train", str(tmp_path), "r1")
    paths = [tmp_path / "runs/r1/train/best.pth", tmp_path / "runs/r1/train/last.pth"]
    file = step.write_paths("candidates", paths)
    artifact = dsl.Model(metadata={"path": str(file.relative_to(tmp_path))})
    assert Step("evaluate", str(tmp_path), "r1").read_paths(artifact) == paths
