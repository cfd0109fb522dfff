"""Servers that tests of several rooms talk to, each process of tests with its own; and what keeps
the many processes that tests start from costing more than they must."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import pytest

from tests.servers.gcs import gcs as gcs
from tests.servers.gcs import gcs_server as gcs_server
from tests.servers.kubernetes import kubernetes as kubernetes
from tests.servers.mariadb import mariadb as mariadb

# Without compiled modules every process that a test starts takes seconds more to import torch.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
# Threads that wait for each other sleep: another test has work for the core.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


@pytest.fixture(autouse=True)
def one_thread_of_torch() -> Iterator[None]:
    """A test that loads a model to read with gives torch more threads; the next has one again."""
    yield
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(1)
