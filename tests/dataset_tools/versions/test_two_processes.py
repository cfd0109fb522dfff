"""Two machines with one data set repository, one database server and one store."""

from __future__ import annotations

import multiprocessing
import subprocess
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from dataset_tools.versions import DataSets, Published
from sub_module.errors import DataError
from sub_module.settings import Settings
from tests.dataset_tools.versions.sets import STANDARD, add, files, noted, small_set, tags
from tests.servers.gcs import Gcs
from tests.servers.mariadb import MariaDB

_SPAWN = multiprocessing.get_context("spawn")
_both_ready: Barrier


def _begin(barrier: Barrier) -> None:
    global _both_ready
    _both_ready = barrier


def _add(home: Settings, directory: Path) -> Published | DataError:
    """In a process of its own: waits for the other one before it publishes."""

    def progress(done: int, total: int, text: str = "") -> None:
        if text == "publishing":
            _both_ready.wait()

    try:
        return DataSets(home).add(directory, "board", "v1", STANDARD, progress=progress)
    except DataError as error:
        return error
    except BaseException:
        _both_ready.abort()
        raise


@pytest.fixture
def homes(
    request: pytest.FixtureRequest, mariadb: MariaDB, tmp_path: Path
) -> tuple[Settings, Settings]:
    """Two, with all else in common."""
    origin, store = tmp_path / "origin.git", f"file://{tmp_path}/store"
    subprocess.run(["git", "init", "-q", "--bare", origin], check=True)
    if request.param == "gs":
        gcs: Gcs = request.getfixturevalue("gcs")
        store = gcs.store
    url = mariadb.new_url()
    one, two = (
        Settings(home=tmp_path / name, database_url=url, datasets=str(origin), store=store)
        for name in ("one", "two")
    )
    return one, two


@pytest.mark.parametrize(
    ("homes", "is_same"),
    [("file", False), ("gs", True)],
    indirect=["homes"],
    ids=["other bytes, file://", "same bytes, gs://"],
)
def test_one_version_added_twice_at_once(
    is_same: bool, homes: tuple[Settings, Settings], tmp_path: Path
) -> None:
    directories = [small_set(tmp_path / "a", 1, seed=1)]
    directories.append(small_set(tmp_path / "b", 1, seed=1 if is_same else 2))
    barrier = _SPAWN.Barrier(2, timeout=120)
    with ProcessPoolExecutor(2, _SPAWN, _begin, (barrier,)) as pool:
        results = list(pool.map(_add, homes, directories))
    won = [isinstance(result, Published) and result.is_new for result in results]
    assert sorted(won) == [False, True], results
    loser = results[won.index(False)]
    if is_same:
        assert isinstance(loser, Published)
    else:
        assert str(loser).startswith("ann-v1 is there already, with other files; ")
    first = won.index(True)
    _check(homes, first, directories)


def _check(homes: tuple[Settings, Settings], first: int, directories: list[Path]) -> None:
    """There is one version, and both machines see the same of it, also afterwards."""
    out = directories[0].parent / "out"
    assert tags(homes[0]) == noted(homes[0]) == noted(homes[1]) == ["ann-v1"]
    assert not add(homes[1 - first], directories[first]).is_new
    DataSets(homes[1 - first]).pull("v1", out)
    assert files(out) == files(directories[first])
    (out / "000000.json").write_text((out / "000000.json").read_text() + "\n")
    with pytest.raises(DataError, match=r"^ann-v1 is there already, with other files; "):
        add(homes[first], out)
    assert tags(homes[0]) == noted(homes[0]) == ["ann-v1"]
