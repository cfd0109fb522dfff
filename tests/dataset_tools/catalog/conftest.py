"""A catalog on each of the two kinds of database."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataset_tools.catalog import Catalog, open_catalog
from sub_module.settings import Settings


@pytest.fixture(params=["mariadb", "sqlite"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Of an empty database."""
    if request.param == "sqlite":
        return Settings(home=tmp_path / "home")
    server = request.getfixturevalue("mariadb")
    return Settings(home=tmp_path / "home", database_url=server.new_url())


@pytest.fixture
def catalog(settings: Settings) -> Catalog:
    """An empty catalog."""
    return open_catalog(settings)
