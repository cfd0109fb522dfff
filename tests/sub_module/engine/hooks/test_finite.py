"""A training that diverges: it ends, and leaves good checkpoints only."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from sub_module.engine.checkpoint import load_checkpoint
from sub_module.engine.train import TrainResult, train
from sub_module.errors import RunError
from tests.standards import kr_standard
from tests.sub_module.engine.test_checkpoint import saved
from tests.sub_module.small import small_config


def exploding_config(heat_weight: float, **changes: Any) -> dict[str, Any]:
    config = small_config(kr_standard(), **changes)
    config["model"]["loss_weights"] = {**config["model"]["loss_weights"], "heat": heat_weight}
    return config


@pytest.mark.parametrize("num_processes", [1, 2])
def test_an_infinite_loss_names_iteration_and_last_good_checkpoint(
    training_set: Path, one_epoch: TrainResult, tmp_path: Path, num_processes: int
) -> None:
    shutil.copytree(one_epoch.candidates[0].parent, tmp_path, dirs_exist_ok=True)
    config = exploding_config(1e39, max_epochs=2, num_processes=num_processes)
    with pytest.raises(RunError) as caught:
        train(config, training_set, tmp_path)
    good = tmp_path / "epoch_1.pth"
    assert str(caught.value) == (
        "training: the loss is not finite at iteration 4; lower train.lr; "
        f"the last good checkpoint is {good}"
    )
    assert [path.name for path in tmp_path.glob("epoch_*.pth")] == ["epoch_1.pth"]
    assert all(tensor.isfinite().all() for tensor in load_checkpoint(good)["state_dict"].values())


def test_an_infinite_loss_before_there_is_a_checkpoint(training_set: Path, tmp_path: Path) -> None:
    config = exploding_config(1e39, max_epochs=1, num_processes=1)
    with pytest.raises(RunError, match=r"at iteration 1; .*; there is no checkpoint yet"):
        train(config, training_set, tmp_path)


def test_spoilt_weights_are_not_saved(training_set: Path, tmp_path: Path) -> None:
    """A running figure of batch norm has no part in the losses, but in what the model reads."""
    poisoned = torch.load(saved(tmp_path / "poisoned.pth"), weights_only=True)
    name = next(name for name in poisoned["state_dict"] if name.endswith("running_var"))
    poisoned["state_dict"][name][0] = float("nan")
    torch.save(poisoned, tmp_path / "poisoned.pth")
    weights = str(tmp_path / "poisoned.pth")
    config = small_config(kr_standard(), max_epochs=1, num_processes=1, weights=weights)
    with pytest.raises(RunError, match="the weights are not finite at iteration 3; "):
        train(config, training_set, tmp_path / "work")
    assert not list((tmp_path / "work").glob("*.pth"))
