"""What a trial prints, without training anything."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from components.record.annotations import annotation_set
from dataset_tools.record import record
from katib.experiment import COMMITTED
from katib.metrics import metrics_in
from katib.reading import read_experiment
from katib.training_set import training_set
from katib.trial import Reporter, run_trial
from sub_module.engine.config import load_config
from sub_module.engine.train import TrainResult
from sub_module.errors import RunError
from sub_module.plates import PlateStandard
from sub_module.progress import silent
from tests.standards import REPOSITORY


def log_of(work_dir: Path, session: str, *records: Any) -> Path:
    """What mmengine's logger leaves of a session; text stands as it is."""
    file = work_dir / session / "vis_data" / "scalars.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    lines = [record if isinstance(record, str) else json.dumps(record) for record in records]
    file.write_text("\n".join(lines))
    return file


def test_every_validation_is_printed_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reporter = Reporter(tmp_path)
    reporter.report()
    training = {"loss": 0.5, "epoch": 1, "step": 1}
    first = {"mAP": 0.25, "EIR": 0.5, "wrong_share": 0.1, "step": 1}
    log_of(tmp_path, "20261121_100000", training, first, '{"mAP": 0.4')
    reporter.report()
    assert capsys.readouterr().out == "EIR=0.500000\nmAP=0.250000\n"
    # Resumed: the epoch that was cut off is validated again, then another.
    second = {"mAP": 0.75, "dv_mAP": 0.5, "EIR": None, "step": 2}
    log_of(tmp_path, "20261121_110000", {**first, "mAP": 0.3}, second)
    reporter.report()
    reporter.report()
    assert capsys.readouterr().out == "mAP=0.750000\ndv_mAP=0.500000\n"


def test_infinite_figures_are_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log_of(tmp_path, "a", {"mAP": float("nan"), "EIR": 0.5, "step": 1})
    Reporter(tmp_path).report()
    assert capsys.readouterr().out == "EIR=0.500000\n"


def test_the_committed_experiment_reads_what_a_trial_prints(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, experiment = read_experiment(COMMITTED)
    values = {"mAP": 0.125, "dv_mAP": 0.0, "EIR": 1.0}
    log_of(tmp_path, "a", {**values, "step": 1})
    Reporter(tmp_path).report()
    lines = capsys.readouterr().out.splitlines()
    names = experiment.spec.objective.metrics
    found = [pair for line in lines for pair in metrics_in(line, experiment.formats, names)]
    assert dict(found) == values
    assert set(names) == set(values)


def test_a_finished_trial_only_reports(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "searches" / "s" / "t"
    log_of(folder / "train", "a", {"mAP": 0.5, "step": 1})
    (folder / "best.pth").write_bytes(b"trained")
    (folder / "train" / "epoch_1.pth").write_bytes(b"to resume from")
    run_trial("tune_platenet", ["train.lr=1e-3"], folder, tmp_path)
    assert capsys.readouterr().out == "mAP=0.500000\n"
    assert [path.name for path in folder.rglob("*.pth")] == ["best.pth"]


def test_weights_are_looked_up_on_the_volume(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "start.pth").write_bytes(b"trained")
    given = []

    def train(config: dict[str, Any], *_: Any) -> TrainResult:
        given.append(config["train"]["weights"])
        raise RunError("it has seen enough")

    monkeypatch.setattr("sub_module.engine.train.train", train)
    monkeypatch.setattr("katib.trial.training_set", lambda *_: tmp_path)
    with pytest.raises(RunError, match="seen enough"):
        run_trial("tune_platenet", ["train.weights=start.pth"], tmp_path / "t", tmp_path)
    assert given == [str(tmp_path / "start.pth")]


def test_mistakes_are_one_line(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "katib.trial", "--config", "tune_platenet", "--search", "s"]
    found = subprocess.run(
        [*command, "--trial", "t", "--set", "train.lr=fast"],
        cwd=REPOSITORY,
        env={**os.environ, "PLATEFLOW_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
    )
    assert (found.returncode, found.stdout) == (2, "")
    assert found.stderr == 'error: train.lr: expected a number, got "fast"\n'
    assert not (tmp_path / "home").exists()


def test_training_set_is_made_once_and_of_other_data_anew(tmp_path: Path) -> None:
    small = {
        "dataset.draw.num_images": 12,
        "dataset.draw.image_sizes": [[320, 240]],
        "dataset.split": {"train": 0.6, "val": 0.2, "test": 0.2},
    }
    config = load_config("tune_platenet", small)
    first = training_set(config, tmp_path, silent)
    made = time.time_ns()
    assert (first / "train.json").is_file()
    assert training_set(config, tmp_path, silent) == first
    assert (first / "train.json").stat().st_mtime_ns < made
    other = training_set(
        load_config("tune_platenet", {**small, "dataset.draw.seed": 7}), tmp_path, silent
    )
    assert other != first
    assert not (tmp_path / "runs").exists(), "it is no run"
    # What the first step of a run over the same config makes.
    of_run, standard = tmp_path / "run", PlateStandard.from_config(config["plates"])
    record(annotation_set(config, tmp_path), of_run, standard, config["dataset"])
    for split in ("train", "val", "test"):
        name = f"{split}.json"
        assert (of_run / name).read_bytes() == (first / name).read_bytes()
