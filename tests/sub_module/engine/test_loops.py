"""Validation, stops and resuming within an epoch."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from sub_module.engine.checkpoint import load_checkpoint, load_model
from sub_module.engine.loops import PartialSampler
from sub_module.engine.train import TrainResult, train
from sub_module.errors import RunError
from tests.standards import kr_standard
from tests.sub_module.engine.logs import iterations, log_text, scalars
from tests.sub_module.small import small_config

# An epoch has 24 images: 3 iterations.
BY_ITERATION = {"val_unit": "iteration", "val_interval": 2, "num_processes": 1}


def names(work_dir: Path, pattern: str) -> set[str]:
    return {path.name for path in work_dir.glob(pattern)}


def test_validation_by_iteration_and_going_on_within_an_epoch(
    training_set: Path, tmp_path: Path
) -> None:
    config = small_config(kr_standard(), max_epochs=2, **BY_ITERATION)
    first = train(config, training_set, tmp_path)
    assert iterations(tmp_path) == [1, 2, 3, 4, 5, 6]
    assert [record["step"] for record in scalars(tmp_path) if "EIR" in record] == [2, 4, 6]
    assert names(tmp_path, "iter_*.pth") == {"iter_4.pth", "iter_6.pth"}
    assert len(names(tmp_path, "best_EIR_iter_*.pth")) == 1
    assert [path.name for path in first.candidates] == ["best.pth", "last.pth"]
    # As after a kill at the fifth iteration, the second of the second epoch.
    (tmp_path / "iter_6.pth").unlink()
    again = train(config, training_set, tmp_path)
    assert iterations(tmp_path)[6:] == [5, 6]
    assert [record["epoch"] for record in scalars(tmp_path) if "loss" in record][6:] == [2, 2]
    assert again.num_epochs == 2


def test_validation_by_epoch_in_an_interval(training_set: Path, tmp_path: Path) -> None:
    config = small_config(kr_standard(), max_epochs=3, val_interval=2, num_processes=1)
    train(config, training_set, tmp_path)
    # And after the last epoch.
    assert [record["step"] for record in scalars(tmp_path) if "EIR" in record] == [2, 3]
    assert names(tmp_path, "epoch_*.pth") == {"epoch_2.pth", "epoch_3.pth"}


def test_a_validation_that_was_cut_off_is_made_up_for(
    training_set: Path, one_epoch: TrainResult, tmp_path: Path
) -> None:
    """A kill between an epoch's checkpoint and the end of its validation."""
    config = small_config(kr_standard(), max_epochs=1, num_processes=1)
    shutil.copytree(one_epoch.candidates[0].parent, tmp_path, dirs_exist_ok=True)
    for file in [*tmp_path.glob("best*.pth"), *tmp_path.glob("*/vis_data/scalars.json")]:
        file.unlink()
    # mmengine writes into the epoch's checkpoint afterwards which one is the best.
    checkpoint = load_checkpoint(tmp_path / "epoch_1.pth")
    for key in ("best_score", "best_ckpt"):
        del checkpoint["message_hub"]["runtime_info"][key]
    torch.save(checkpoint, tmp_path / "epoch_1.pth")
    resumed = train(config, training_set, tmp_path)
    assert iterations(tmp_path) == []
    assert resumed.metrics == one_epoch.metrics
    assert len(names(tmp_path, "best_EIR_epoch_1.pth")) == 1


def test_an_epoch_goes_on_with_the_images_that_it_has_not_seen() -> None:
    sampler = PartialSampler(range(10), seed=3)
    whole = list(sampler)
    sampler.first = 4
    assert list(sampler) == whole[4:]
    assert len(sampler) == 10, "iterations of an epoch are counted from it"


def test_validation_is_skipped_when_memory_is_short(training_set: Path, tmp_path: Path) -> None:
    memory = {"skip_validation": 1e-6, "stop": 1.0}
    config = small_config(kr_standard(), max_epochs=1, num_processes=1, memory=memory)
    result = train(config, training_set, tmp_path)
    assert "this validation is skipped" in log_text(tmp_path)
    assert not any("EIR" in record for record in scalars(tmp_path))
    assert result.metrics == {}
    assert [load_model(path).standard for path in result.candidates] == [kr_standard()]


def test_training_stops_before_memory_runs_out_and_goes_on(
    training_set: Path, tmp_path: Path
) -> None:
    short = {"skip_validation": 1.0, "stop": 1e-6}
    config = small_config(kr_standard(), max_epochs=2, num_processes=2, memory=short)
    with pytest.raises(RunError, match=r"ends at iteration 1 of 6; iter_1\.pth is saved"):
        train(config, training_set, tmp_path)
    assert load_checkpoint(tmp_path / "iter_1.pth")["meta"]["iter"] == 1
    enough = {"skip_validation": 1.0, "stop": 1.0}
    config = small_config(kr_standard(), max_epochs=2, num_processes=1, memory=enough)
    finished = train(config, training_set, tmp_path)
    assert finished.num_epochs == 2
    assert iterations(tmp_path) == [2, 3, 4, 5, 6]
