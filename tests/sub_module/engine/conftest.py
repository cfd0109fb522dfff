"""What several tests train on."""

from __future__ import annotations

from pathlib import Path

import pytest

from sub_module.engine.train import TrainResult, train
from tests.standards import kr_standard
from tests.sub_module.small import drawn_set, small_config


@pytest.fixture(scope="session")
def training_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 images to train on, 8 to validate on; never changed."""
    return drawn_set(tmp_path_factory.mktemp("data"), kr_standard(), 40)


@pytest.fixture(scope="session")
def one_epoch(training_set: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainResult:
    """An epoch's training in one process; its directory is copied, never changed."""
    config = small_config(kr_standard(), max_epochs=1, num_processes=1)
    return train(config, training_set, tmp_path_factory.mktemp("one epoch"))
