"""What is recorded, and from what, under names that never mean anything else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from components.record.annotations import annotation_set, unchanged
from components.record.versions import record_versions
from components.step import Step
from dataset_tools.catalog import open_catalog
from dataset_tools.record import RecordSummary
from dataset_tools.versions import DataSets
from sub_module.errors import DataError, PlateflowError
from sub_module.files import read_json, write_json
from sub_module.settings import Settings
from tests.dataset_tools.drawn import digests
from tests.factories import write_set
from tests.standards import tiny_standard

STANDARD = tiny_standard()
SPLIT = {"train": 0.6, "val": 0.2, "test": 0.2}


def _record(home: Path, run: str, **dataset: Any) -> tuple[RecordSummary, dict[str, str]]:
    """The record step's work in a run."""
    step = Step("record", str(home), run)
    config = {
        "plates": STANDARD.to_config(),
        "dataset": {"version": None, "annotations": None, "split": SPLIT, **dataset},
    }
    write_json(step.run_dir / "config.json", config)
    source = annotation_set(step.config, step.volume)
    return record_versions(step, source, open_catalog(Settings(home=step.volume)))


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    directory = tmp_path / "my set"
    write_set(directory, STANDARD, 12, size=(64, 48))
    return directory


def _tags(home: Path) -> list[str]:
    return [version.tag for version in DataSets(Settings(home=home)).versions()]


def test_runs_over_the_same_set_share_its_versions(tmp_path: Path, labelled: Path) -> None:
    home = tmp_path / "home"
    before = digests(labelled)
    _, first = _record(home, "r1", annotations=str(labelled))
    assert first == {"annotation_set": "ann-v1", "training_set": "train-v1"}
    # As a killed run that is started again, and as another run.
    assert _record(home, "r1", annotations=str(labelled))[1] == first
    _, other = _record(home, "r2", annotations=str(labelled), split=SPLIT | {"train": 0.3})
    assert other == {"annotation_set": "ann-v1", "training_set": "train-v2"}
    assert _tags(home) == ["ann-v1", "train-v1", "train-v2"]
    (home / "runs/r1/record/val.json").write_text("{}")
    assert digests(labelled) == before, "the user's files are as they were"


def test_rejected_files_are_in_no_version(tmp_path: Path, labelled: Path) -> None:
    home = tmp_path / "home"
    (labelled / "000003.json").write_text("{")
    summary, tags = _record(home, "r1", annotations=str(labelled))
    assert [problem.file for problem in summary.rejected] == ["000003.json"]
    pulled = tmp_path / "pulled"
    DataSets(Settings(home=home)).pull(tags["annotation_set"], pulled)
    assert len(list(pulled.glob("*.jpg"))) == len(list(pulled.glob("*.json"))) == 11
    (labelled / "000004.json").write_text("{")
    assert _record(home, "r2", annotations=str(labelled))[1]["annotation_set"] == "ann-v2"


def test_a_named_version_is_fetched_and_recorded(tmp_path: Path, labelled: Path) -> None:
    home = tmp_path / "home"
    data_sets = DataSets(Settings(home=home))
    data_sets.add(labelled, "lorries", "first", STANDARD)
    (labelled / "000003.json").unlink()
    (labelled / "000003.jpg").unlink()
    summary, tags = _record(home, "r1", version="first")
    assert tags["annotation_set"] == "ann-first"
    assert data_sets.find(tags["training_set"]).category == "lorries", "the version knows its own"
    assert sum(summary.num_images.values()) == 12, "as it was when it was added"
    (fetched,) = (home / "datasets").glob("ann-first-*")
    files = read_json(home / "runs/r1/record/train.json")["images"]
    assert len(files) == summary.num_images["train"]
    assert len(list(fetched.glob("*.json"))) == 12


def test_an_unknown_version_is_one_line(tmp_path: Path, labelled: Path) -> None:
    home = tmp_path / "home"
    DataSets(Settings(home=home)).add(labelled, "boards", "first", STANDARD)
    for name in ("second", "train-first"):
        with pytest.raises(DataError, match="first") as caught:
            _record(home, "r1", version=name)
        assert name in str(caught.value)
        assert "\n" not in str(caught.value)
    assert not list((home / "datasets").glob("ann-*"))


def test_a_colleagues_version_joins_this_catalog(
    tmp_path: Path, labelled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    DataSets(Settings(home=theirs)).add(labelled, "boards", "first", STANDARD)
    monkeypatch.setenv("PLATEFLOW_DATASETS", str(theirs / "datasets.git"))
    monkeypatch.setenv("PLATEFLOW_STORE", (theirs / "store").as_uri())
    _, tags = _record(ours, "r1", version="first")
    catalog = open_catalog(Settings(home=ours))
    assert [row.tag for row in catalog.annotation_sets()] == ["ann-first"]
    (training_set,) = catalog.training_sets()
    assert training_set.tag == tags["training_set"]
    assert _tags(theirs) == ["ann-first", tags["training_set"]]


def test_another_set_of_that_name_in_the_catalog(
    tmp_path: Path, labelled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model must not be traced to labels that it never saw."""
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    other = tmp_path / "other"
    write_set(other, STANDARD, 12, seed=5, size=(64, 48))
    DataSets(Settings(home=theirs)).add(labelled, "boards", "first", STANDARD)
    DataSets(Settings(home=ours)).add(other, "boards", "first", STANDARD)
    monkeypatch.setenv("PLATEFLOW_DATABASE_URL", f"sqlite:///{theirs}/catalog.sqlite3")
    with pytest.raises(PlateflowError, match="ann-first") as caught:
        _record(ours, "r1", version="first")
    assert "\n" not in str(caught.value)
    assert open_catalog(Settings(home=ours)).training_sets() == []


def test_labels_that_nobody_reviewed(tmp_path: Path, labelled: Path) -> None:
    """They are trained on by who has said so: not by a run over the directory."""
    home = tmp_path / "home"
    for name in ("000003.json", "000004.json"):
        content = read_json(labelled / name)
        write_json(labelled / name, content | {"flags": {"reviewed": False}})
    with pytest.raises(DataError, match=r"my set: 2 label files that no person has reviewed;"):
        _record(home, "r1", annotations=str(labelled))
    data_sets = DataSets(Settings(home=home))
    assert [version.kind for version in data_sets.versions()] == ["annotations"], "the others"
    data_sets.add(labelled, "boards", "guessed", STANDARD, allow_unreviewed=True)
    summary, tags = _record(home, "r2", version="guessed")
    assert sum(summary.num_images.values()) == 12
    assert tags["annotation_set"] == "ann-guessed"


def test_a_set_that_is_being_labelled(labelled: Path) -> None:
    with unchanged(labelled):
        pass
    label_file = labelled / "000000.json"
    with pytest.raises(DataError, match="my set: changed while it was read"), unchanged(labelled):
        label_file.write_text(json.dumps({}))
