"""Training that starts from a model that there is already."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from sub_module.engine.checkpoint import description, load_checkpoint
from sub_module.engine.train import train
from sub_module.errors import ConfigError, ModelError
from tests.standards import kr_standard, tiny_standard
from tests.sub_module.engine.test_checkpoint import saved
from tests.sub_module.small import small_config


def parameters(path: Path) -> dict[str, torch.Tensor]:
    """Weights without batch norm's running figures, which no learning rate holds back."""
    state = load_checkpoint(path)["state_dict"]
    return {name: tensor for name, tensor in state.items() if "running_" not in name}


def test_training_starts_from_a_checkpoint(training_set: Path, tmp_path: Path) -> None:
    start = saved(tmp_path / "start.pth")
    config = small_config(
        kr_standard(), max_epochs=1, num_processes=1, lr=1e-9, weights=str(start), seed=5
    )
    result = train(config, training_set, tmp_path / "work")
    before, after = parameters(start), parameters(result.candidates[-1])
    for name, tensor in before.items():
        if tensor.is_floating_point():
            torch.testing.assert_close(after[name], tensor, atol=1e-6, rtol=0)


def test_a_resumed_training_does_not_start_anew(training_set: Path, tmp_path: Path) -> None:
    start = saved(tmp_path / "start.pth")
    config = small_config(kr_standard(), max_epochs=1, num_processes=1, weights=str(start))
    train(config, training_set, tmp_path / "work")
    start.unlink()
    assert train(config, training_set, tmp_path / "work").num_epochs == 1


def tiny_checkpoint(path: Path) -> Path:
    other = tiny_standard()
    return saved(path, plateflow=description(small_config(other)["model"], other))


def narrow_checkpoint(path: Path) -> Path:
    return renamed(path, "refiner.head.bias", torch.zeros(5))


def renamed(path: Path, name: str, tensor: torch.Tensor) -> Path:
    content: dict[str, Any] = torch.load(saved(path), weights_only=True)
    content["state_dict"][name] = tensor
    torch.save(content, path)
    return path


def unnamed(path: Path) -> Path:
    content: dict[str, Any] = torch.load(saved(path), weights_only=True)
    del content["state_dict"]["refiner.head.bias"]
    torch.save(content, path)
    return path


def of_another_family(path: Path) -> Path:
    model = {**small_config(kr_standard())["model"], "type": "MaskRCNNSwin"}
    return saved(path, plateflow=description(model, kr_standard()))


@pytest.mark.parametrize(
    ("made_by", "reason"),
    [
        (tiny_checkpoint, r"trained for the plate standard tiny \(\w+\), not kr \(\w+\)"),
        (narrow_checkpoint, r"refiner\.head\.bias is of shape \(5,\), the model's of \(11,\)"),
        (of_another_family, r"a MaskRCNNSwin, but the config's model is a PlateNet"),
        (lambda path: renamed(path, "more", torch.zeros(1)), "has more, which the model has not"),
        (unnamed, r"has no refiner\.head\.bias, which the model has"),
        (lambda path: path, "no such file"),
    ],
    ids=["standard", "head size", "family", "another tensor", "no tensor", "no file"],
)
def test_a_checkpoint_that_does_not_fit_is_refused(
    training_set: Path, tmp_path: Path, made_by: Any, reason: str
) -> None:
    start = made_by(tmp_path / "start.pth")
    config = small_config(kr_standard(), weights=str(start))
    with pytest.raises(ModelError, match=rf"start\.pth: {reason}") as caught:
        train(config, training_set, tmp_path / "work")
    assert "\n" not in str(caught.value)
    assert not list((tmp_path / "work").iterdir())


def test_a_backbone_for_a_model_that_takes_none(training_set: Path, tmp_path: Path) -> None:
    config = small_config(kr_standard(), backbone_weights="swin.pth")
    with pytest.raises(ConfigError, match=r"train\.backbone_weights: PlateNet takes none"):
        train(config, training_set, tmp_path)
    both = small_config(kr_standard(), backbone_weights="swin.pth", weights="model.pth")
    with pytest.raises(ConfigError, match=r"train\.backbone_weights must be null"):
        train(both, training_set, tmp_path)
