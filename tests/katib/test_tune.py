"""`tune` on the command line, and what its result is good for."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

import pipeline_utils
from components.run_config import read_overrides, run_config
from katib.reading import read_experiment
from katib.trials import objective_of, read_trials
from tests.katib.small_search import own_experiment, write
from tests.standards import REPOSITORY

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Iterator[Command]:
    """Runs the command line in this process; gives exit code, output and errors."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    monkeypatch.setenv("PLATEFLOW_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["plateflow", *arguments])
        with pytest.raises(SystemExit) as caught:
            pipeline_utils.main()
        output, errors = capfd.readouterr()
        return int(caught.value.code or 0), output, errors

    yield run
    for number, handler in before.items():
        signal.signal(number, handler)


def test_own_experiment(command: Command, tmp_path: Path) -> None:
    file = write(tmp_path, own_experiment(tmp_path))
    asked = ["tune", "--experiment", str(file), "--algorithm", "grid", "--trials", "15"]
    code, output, errors = command(*asked, "--name", "mine", "--parallel", "2")
    assert code == 0
    lines = output.splitlines()
    assert lines[0].split()[2:] == ["mAP", "0.9000"]
    assert [line.strip() for line in lines[1:3]] == ["train.lr=0.002", "train.weight_decay=0.0"]
    folder = tmp_path / "home/searches/mine"
    assert lines[3:] == [f"overrides  {folder}/best.yaml", f"plot       {folder}/search.png"]
    assert "[mine-015] succeeded" in errors
    spec = yaml.safe_load((folder / "experiment.yaml").read_text())["spec"]
    assert spec["algorithm"] == {"algorithmName": "grid"}
    assert (spec["maxTrialCount"], spec["parallelTrialCount"]) == (15, 2)
    code, again, errors = command(*asked, "--name", "mine", "--parallel", "2")
    assert (code, again) == (0, output)
    assert errors == "search mine is done already; nothing to do\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(["--algorithm", "newton"], "algorithmName: 'newton'; known", id="algorithm"),
        pytest.param(["--algorithm", "pbt"], "pbt runs on a cluster only", id="not here"),
        pytest.param(["--early-stopping", "never"], "'never'; known: medianstop", id="stopping"),
        pytest.param(["--config", "plate_training"], "it has no `search`", id="no search"),
        pytest.param(["--config", "none"], "config 'none' is neither", id="no config"),
        pytest.param(["--name", "My Search"], "metadata.name", id="name"),
        pytest.param(
            ["--set", "train.lrr=1"], "unknown key 'train.lrr'", id="unknown key of the trials"
        ),
        pytest.param(["--set", "search.trials=1"], "search.max_trials", id="unknown key"),
        pytest.param(["--experiment", "none.yaml"], "none.yaml: cannot be read", id="no file"),
        pytest.param(
            ["--set", "search.parameters.lr.key=train.rate"],
            "spec.parameters.0: lr=5e-4 does not fit",
            id="a field that is not there",
        ),
    ],
)
def test_bad_input(command: Command, tmp_path: Path, arguments: list[str], words: str) -> None:
    code, output, errors = command("tune", *arguments)
    assert (code, output) == (2, "")
    assert errors.startswith("error: ")
    assert errors.count("\n") == 1
    assert words in errors
    assert not (tmp_path / "home").exists()


OVERRIDES = [
    pytest.param("train.lr: [", "not YAML", id="no YAML"),
    pytest.param("- 1", "expected config keys and values", id="a list"),
    pytest.param("", "expected config keys and values", id="empty"),
    pytest.param("1: 2", "1 is no config key", id="a number for a key"),
    pytest.param("train.lr: 2024-05-01", "train.lr: a date that no config can hold", id="a date"),
    pytest.param("train.lr: .nan", "train.lr: a float that no config can hold", id="no number"),
    pytest.param("train.lrr: 1", "unknown key 'train.lrr'", id="unknown key"),
    pytest.param("train.lr: fast", "train.lr: expected a number", id="wrong type"),
    pytest.param("train.max_epochs: 0", "train.max_epochs must be", id="out of range"),
]


@pytest.mark.parametrize(("text", "words"), OVERRIDES)
def test_bad_overrides(command: Command, tmp_path: Path, text: str, words: str) -> None:
    Path("best.yaml").write_text(text)
    code, output, errors = command("upload-and-run", "--overrides", "best.yaml")
    assert (code, output) == (2, "")
    assert errors.startswith("error: best.yaml: ")
    assert errors.count("\n") == 1
    assert words in errors
    assert not (tmp_path / "home").exists()


def test_missing_overrides(command: Command) -> None:
    for name in ("upload-and-run", "run"):
        code, _, errors = command(name, "--overrides", "none.yaml")
        assert (code, errors) == (2, "error: none.yaml: No such file or directory\n")


def test_overrides_of_an_uploaded_version(command: Command) -> None:
    assert command("upload")[0] == 0
    Path("best.json").write_text(json.dumps({"train.lr": 1e-3, "train.lrr": 1}))
    code, _, errors = command("run", "--overrides", "best.json")
    assert code == 2
    assert errors.startswith("error: best.json: unknown key 'train.lrr'")


def test_set_wins_over_the_file(command: Command) -> None:
    Path("best.yaml").write_text("train.max_epochs: 0\ntrain.lr: 1e-3\n")
    arguments = ["--overrides", "best.yaml", "--set", "train.max_epochs=-1"]
    # The file is not to blame.
    expected = "error: train.max_epochs must be at least 1, not -1\n"
    assert command("upload-and-run", *arguments)[2] == expected
    assert read_overrides(Path("best.yaml")) == {"train.max_epochs": 0, "train.lr": 1e-3}


def test_tune_improves_a_platenet(tmp_path: Path, command: Command) -> None:
    """Four trainings, from the drawing of the data to the override file."""
    began = time.monotonic()
    config = str(REPOSITORY / "tests/katib/small_platenet.py")
    asked = ["tune", "--config", config, "--algorithm", "grid", "--trials", "4", "--parallel", "2"]
    # In a process of its own: threads of torch in this one would slow the trials down.
    found = subprocess.run(
        [sys.executable, str(REPOSITORY / "pipeline_utils.py"), *asked],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PLATEFLOW_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
    )
    assert found.returncode == 0, found.stderr
    folder = tmp_path / "home/searches/small"
    _, experiment = read_experiment(folder / "experiment.yaml")
    trials = read_trials(folder)
    assert [trial.state for trial in trials] == ["succeeded"] * 4
    values = {trial.name: objective_of(experiment, trial) or 0.0 for trial in trials}
    best = max(trials, key=lambda trial: values[trial.name])
    (default,) = [values[trial.name] for trial in trials if trial.parameters["lr"] == "1e-7"]
    better = values[best.name] > default + 0.02
    assert better, "the search found better than the config's learning rate"
    assert f"{best.name}  mAP {values[best.name]:.4f}" in found.stdout.splitlines()[0]

    overrides = read_overrides(folder / "best.yaml")
    assert overrides["train.lr"] == float(best.parameters["lr"])
    assert run_config("plate_training", overrides)["train"]["lr"] == overrides["train.lr"]
    asked = ["upload-and-run", "--overrides", str(folder / "best.yaml")]
    assert "dataset.split.test must be above" in command(*asked, "--set", "dataset.split.test=0")[2]

    recorded = list((tmp_path / "home/datasets").glob("recorded-*"))
    assert len(recorded) == 1, "the trials share one training set"
    for trial in trials:
        assert (folder / trial.name / "best.pth").stat().st_size > 10_000
        assert len(trial.metrics["EIR"]) == len(trial.metrics["mAP"]) == 3
        assert list((folder / trial.name).rglob("epoch_*.pth")) == []
    assert time.monotonic() - began < 180
