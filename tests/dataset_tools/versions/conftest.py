"""A home with two versions: made once, copied for each test, which is quicker than adding."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from sub_module.settings import Settings
from tests.dataset_tools.versions.sets import add, edit, small_set


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`home` with versions v1, of the files in `set1`, and v2, of those in `set2`."""
    root = tmp_path_factory.mktemp("published")
    add(Settings(home=root / "home"), small_set(root / "set1"))
    shutil.copytree(root / "set1", root / "set2")
    edit(root / "set2")
    add(Settings(home=root / "home"), root / "set2", "v2")
    return root


@pytest.fixture
def settings(published: Path, tmp_path: Path) -> Settings:
    """A home of the test's own with v1 and v2; `set1` and `set2` lie beside it."""
    for name in ("home", "set1", "set2"):
        shutil.copytree(published / name, tmp_path / name)
    return Settings(home=tmp_path / "home")
