"""One model server for all tests of the client, and a gateway before it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers.predictor import Predictor, running_predictor
from tests.serving.client.gateway import Gateway


@pytest.fixture(scope="package")
def predictor() -> Iterator[Predictor]:
    # As the library reads, to the last digit.
    with running_predictor("engine.precision=float32") as server:
        yield server


@pytest.fixture
def gateway(predictor: Predictor) -> Iterator[Gateway]:
    with Gateway(predictor.url).opened() as listening:
        yield listening
