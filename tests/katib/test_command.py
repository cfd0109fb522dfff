"""A trial's command: what fills it, what changes it, and that a shell reads it the same."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from katib.command import changed, environment_of, filled, keys_of, shell_text
from katib.experiment import COMMITTED, render
from katib.reading import parse_experiment, read_experiment
from katib.search import Wishes, prepare
from katib.spec import Experiment
from sub_module.engine.config import load_config
from sub_module.errors import ConfigError, DataError
from tests.katib.small_search import container_of, own_experiment, write


def test_each_parameter_fills_its_field() -> None:
    _, experiment = read_experiment(COMMITTED)
    assert keys_of(experiment) == {
        "lr": "train.lr",
        "swin_drop_rate": "model.swin_drop_rate",
        "swin_window_size": "model.swin_window_size",
        "swin_mlp_ratio": "model.swin_mlp_ratio",
    }


def test_filled_in() -> None:
    _, experiment = read_experiment(COMMITTED)
    values = {"lr": "1e-4", "swin_drop_rate": "0.1", "swin_window_size": "7", "swin_mlp_ratio": "4"}
    assert filled(experiment, "mask-rcnn-swin-001", values) == (
        "python3 -m katib.trial --config tune_mask_rcnn --search mask-rcnn-swin "
        "--trial mask-rcnn-swin-001 --set train.lr=1e-4 --set model.swin_drop_rate=0.1 "
        "--set model.swin_window_size=7 --set model.swin_mlp_ratio=4"
    )


@pytest.mark.parametrize(
    ("container", "text"),
    [
        pytest.param({"command": ["sh", "-c", "a b"]}, "a b", id="shell"),
        pytest.param({"command": ["python3", "x.py"]}, "python3 x.py", id="words"),
        pytest.param({"command": ["python3"], "args": ["x.py"]}, "python3 x.py", id="arguments"),
        pytest.param({"command": ["bash", "-c"], "args": ["a | b"]}, "a | b", id="both"),
    ],
)
def test_a_command_is_text_for_a_shell(container: dict[str, Any], text: str) -> None:
    assert shell_text(container) == text


def test_pairs_reach_the_trial_as_they_were_typed(tmp_path: Path) -> None:
    """Through YAML, placeholders and the shell that Katib would run."""
    pair = 'dataset.draw.image_sizes=[[320, 240], [240, 320]] # "it\'s" $HOME'
    data, experiment = parse_experiment(render("tune_platenet"), "rendered")
    data = changed(data, experiment, None, None, [pair])
    container = container_of(data)
    text = filled(
        Experiment.model_validate(data),
        "t1",
        {"lr": "1e-3", "weight_decay": "0.0", "crop_jitter": "0.1"},
    )
    assert container["command"][:2] == ["sh", "-c"]
    shown = f"{shlex.quote(sys.executable)} -c 'import sys, json; print(json.dumps(sys.argv))'"
    script = text.replace("python3 -m katib.trial", shown)
    found = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    words = json.loads(found.stdout)
    assert words[-2:] == ["--set", pair]
    assert "train.lr=1e-3" in words


def test_config_and_name_are_changed(tmp_path: Path) -> None:
    data, experiment = read_experiment(COMMITTED)
    words = shlex.split(
        shell_text(container_of(changed(data, experiment, "tune_platenet", "mine", [])))
    )
    assert words[words.index("--config") + 1] == "tune_platenet"
    assert words[words.index("--search") + 1] == "mine"
    assert container_of(data)["command"][2].count("tune_mask_rcnn") == 1, "the original stays"


def test_a_path_with_a_space(tmp_path: Path) -> None:
    file = tmp_path / "my configs" / "tune.json"
    file.parent.mkdir()
    file.write_text(json.dumps(load_config("tune_platenet")))
    for pairs in ([], ["train.max_epochs=1"]):
        search = prepare(Wishes(config=str(file), pairs=pairs), tmp_path / "home", here=True)
        words = shlex.split(shell_text(container_of(dict(search.data))))
        assert words[words.index("--config") + 1] == str(file)


@pytest.mark.parametrize("pair", ["search.goal=0.5", " search.goal=0.5", "search={}"])
def test_an_experiment_of_ones_own_has_no_search_to_change(tmp_path: Path, pair: str) -> None:
    file = write(tmp_path, yaml.safe_load(render("tune_platenet")))
    with pytest.raises(ConfigError, match=rf"--set {pair}: .*; edit {file}"):
        prepare(Wishes(file=file, pairs=[pair]), tmp_path, here=True)


@pytest.mark.parametrize(
    ("pair", "words"),
    [
        ("train.weights=gone.pth", "train.weights: there is no file gone.pth"),
        ("dataset.annotations=gone", "dataset.annotations: there is no directory gone"),
    ],
)
def test_data_that_is_missing_here(tmp_path: Path, pair: str, words: str) -> None:
    wishes = Wishes(config="tune_platenet", pairs=[pair])
    with pytest.raises(DataError, match=words):
        prepare(wishes, tmp_path, here=True)
    prepare(wishes, tmp_path, here=False)


def test_only_our_trial_takes_pairs(tmp_path: Path) -> None:
    file = write(tmp_path, own_experiment(tmp_path))
    with pytest.raises(ConfigError, match=r"experiment\.yaml: .*not katib\.trial, which alone"):
        prepare(Wishes(file=file, pairs=["train.max_epochs=1"]), tmp_path, here=True)


def test_environment(tmp_path: Path) -> None:
    data = own_experiment(tmp_path)
    secret = {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}
    container_of(data)["env"] += [{"name": "MODE", "value": "x"}, secret]
    found = environment_of(Experiment.model_validate(data), "t1", tmp_path)
    assert found == {"MODE": "x", "PLATEFLOW_HOME": str(tmp_path), "KATIB_TRIAL_NAME": "t1"}
