"""A model server for all modules here, and images that it reads."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest
from PIL import Image

from tests.servers.predictor import ROOT, Predictor, running_predictor


@pytest.fixture(scope="session")
def predictor() -> Iterator[Predictor]:
    """For tests that leave it as it is; who stops or overloads one starts its own."""
    with running_predictor() as server:
        yield server


@pytest.fixture(scope="session")
def sample() -> bytes:
    """A JPEG with two plates, 640x480."""
    return (ROOT / "docs" / "samples" / "motorcycle.jpg").read_bytes()


@pytest.fixture(scope="session")
def grey() -> bytes:
    """A small JPEG without a plate, which is read quickly."""
    file = io.BytesIO()
    Image.new("L", (64, 48), 128).save(file, "JPEG")
    return file.getvalue()
