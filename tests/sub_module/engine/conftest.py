"""What several tests train on."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.standards import kr_standard
from tests.sub_module.small import drawn_set


@pytest.fixture(scope="session")
def training_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 images to train on, 8 to validate on; never changed."""
    return drawn_set(tmp_path_factory.mktemp("data"), kr_standard(), 40)
