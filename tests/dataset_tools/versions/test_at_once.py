"""Two `add`s at the same time, in one home and from two machines with one repository."""

from __future__ import annotations

import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dataset_tools.versions import DataSets, Published
from sub_module.errors import DataError
from sub_module.settings import Settings
from tests.dataset_tools.versions.sets import (
    STANDARD,
    files,
    leftovers,
    noted,
    small_set,
    tags,
)


def _added_at_once(
    homes: list[Settings], directories: list[Path], versions: list[str]
) -> list[Published | DataError]:
    """Two adds, which wait for each other before they publish."""
    both_ready = threading.Barrier(2, timeout=120)

    def progress(done: int, total: int, text: str = "") -> None:
        if text == "publishing":
            both_ready.wait()

    def add(home: Settings, directory: Path, version: str) -> Published | DataError:
        try:
            return DataSets(home).add(directory, "board", version, STANDARD, progress=progress)
        except DataError as error:
            return error
        except BaseException:
            both_ready.abort()
            raise

    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(add, homes, directories, versions))


@pytest.fixture
def directories(tmp_path: Path) -> list[Path]:
    return [small_set(tmp_path / "a", 2, seed=1), small_set(tmp_path / "b", 2, seed=2)]


@pytest.fixture
def two_homes(tmp_path: Path) -> list[Settings]:
    """As two machines: a repository and a store by URL, a home and a catalog each."""
    origin = tmp_path / "origin.git"
    subprocess.run(["git", "init", "-q", "--bare", origin], check=True)
    return [
        Settings(home=tmp_path / name, datasets=str(origin), store=f"file://{tmp_path}/store")
        for name in ("one", "two")
    ]


def test_of_two_adds_of_one_version_one_wins(directories: list[Path], tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    results = _added_at_once([settings] * 2, directories, ["v1", "v1"])
    winner, loser = sorted(results, key=lambda result: isinstance(result, DataError))
    assert isinstance(winner, Published)
    assert str(loser).startswith("ann-v1 is there already, with other files; ")
    assert tags(settings) == noted(settings) == ["ann-v1"]
    assert leftovers(settings) == []
    DataSets(settings).pull("v1", tmp_path / "out")
    assert files(tmp_path / "out") == files(directories[results.index(winner)])


def test_of_two_machines_one_wins(
    two_homes: list[Settings], directories: list[Path], tmp_path: Path
) -> None:
    results = _added_at_once(two_homes, directories, ["v1", "v1"])
    winner, loser = sorted(results, key=lambda result: isinstance(result, DataError))
    assert isinstance(winner, Published)
    assert str(loser).startswith("ann-v1 is there already, with other files; ")
    first = results.index(winner)
    assert noted(two_homes[first]) == ["ann-v1"]
    # What the other had inserted is undone.
    assert noted(two_homes[1 - first]) == []
    DataSets(two_homes[1 - first]).pull("v1", tmp_path / "out")
    assert files(tmp_path / "out") == files(directories[first])


def test_two_machines_add_a_version_each(
    two_homes: list[Settings], directories: list[Path], tmp_path: Path
) -> None:
    results = _added_at_once(two_homes, directories, ["v1", "v2"])
    assert [getattr(result, "tag", result) for result in results] == ["ann-v1", "ann-v2"]
    assert tags(two_homes[0]) == ["ann-v1", "ann-v2"]
    for home, tag in zip(two_homes, ("ann-v1", "ann-v2"), strict=True):
        assert noted(home) == [tag]
    # Each finds the other's.
    for home, version, directory in zip(two_homes, ("v2", "v1"), directories[::-1], strict=True):
        DataSets(home).pull(version, tmp_path / version)
        assert files(tmp_path / version) == files(directory)
