"""One model server for all tests of the client, and a gateway before it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers.predictor import Predictor, running_predictor
from tests.serving.client.gateway import TOKEN, Gateway


@pytest.fixture(scope="package")
def predictor() -> Iterator[Predictor]:
    # As the library reads, to the last digit; and with no more room than most tests need.
    settings = "engine.precision=float32", "limits.queued_images=8"
    with running_predictor(*settings, environment={"PLATEFLOW_SERVE_TOKEN": TOKEN}) as server:
        yield server


@pytest.fixture(autouse=True)
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    """What commands bring the server."""
    monkeypatch.setenv("PLATEFLOW_SERVE_TOKEN", TOKEN)


@pytest.fixture
def gateway(predictor: Predictor) -> Iterator[Gateway]:
    with Gateway(predictor.url).opened() as listening:
        yield listening
