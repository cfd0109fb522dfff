"""Deleting from a store: bytes that somebody else needs stay."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dataset_tools.versions import DataSets
from sub_module.errors import DataError, StoreError
from sub_module.settings import Settings
from tests.dataset_tools.versions.sets import STANDARD, add, files, small_set, stored, tags


def _unneeded(settings: Settings) -> Path:
    """An object that nobody needs."""
    path = settings.home / "store/dvc/files/md5/00/11"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"unneeded")
    return path


def _run(command: list[str | Path], folder: Path, home: Path) -> None:
    """As somebody with nothing but git and DVC on the machine."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "DVC_NO_ANALYTICS": "1",
        "DVC_SITE_CACHE_DIR": str(home / "site"),
        **{f"GIT_{who}_NAME": "Kim" for who in ("AUTHOR", "COMMITTER")},
        **{f"GIT_{who}_EMAIL": "kim@localhost" for who in ("AUTHOR", "COMMITTER")},
    }
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def _colleague_publishes(settings: Settings, directory: Path, ref: str, home: Path) -> None:
    clone, dvc = home / "clone", [sys.executable, "-P", "-m", "dvc"]
    home.mkdir()
    _run(["git", "clone", "-q", settings.home / "datasets.git", clone], home, home)
    _run(["git", "checkout", "-q", "-b", "work"], clone, home)
    _run(["cp", "-r", directory, clone / "annotations" / "board"], home, home)
    _run([*dvc, "config", "--local", "core.no_scm", "true"], clone, home)
    url = settings.home / "store" / "dvc"
    _run([*dvc, "remote", "modify", "--local", "store", "url", str(url)], clone, home)
    _run([*dvc, "add", "-q", "annotations/board"], clone, home)
    _run([*dvc, "push", "-q"], clone, home)
    _run(["git", "commit", "-q", "-a", "-m", "by hand"], clone, home)
    if ref.startswith("refs/tags/"):
        _run(["git", "tag", ref.removeprefix("refs/tags/")], clone, home)
    _run(["git", "push", "-q", "origin", f"HEAD:{ref}"], clone, home)


@pytest.mark.parametrize("ref", ["refs/tags/ann-v9", "refs/heads/work"], ids=["tag", "branch"])
def test_what_plain_git_and_dvc_published_stays(
    ref: str, settings: Settings, tmp_path: Path
) -> None:
    directory = small_set(tmp_path / "set9", 2, seed=9)
    _colleague_publishes(settings, directory, ref, tmp_path / "kim")
    before = stored(settings)
    assert set(map(Path.read_bytes, directory.iterdir())) <= set(before.values())
    _unneeded(settings)
    assert DataSets(settings).gc(store=True).num_stored == 1
    assert stored(settings) == before


def test_a_home_that_has_no_versions_deletes_nothing(settings: Settings, tmp_path: Path) -> None:
    """The team's store is set, the team's repository is not."""
    lost = Settings(home=tmp_path / "lost", store=f"file://{settings.home}/store")
    before = stored(settings)
    with pytest.raises(DataError, match=r"has no version yet, so nothing says what in file://"):
        DataSets(lost).gc(store=True)
    assert stored(settings) == before
    # With a version of its own there, neither deletes what is the other's.
    add(lost, small_set(tmp_path / "own", 1, seed=5))
    before = stored(settings)
    for home in (lost, settings):
        with pytest.raises(StoreError, match=r"has bytes of another data set repository") as caught:
            DataSets(home).gc(store=True)
        assert "\n" not in str(caught.value)
    assert stored(settings) == before


def test_bytes_that_were_there_first_stay(settings: Settings, tmp_path: Path) -> None:
    """Of a repository that nothing in the store names."""
    for mark in (settings.home / "store/dvc/repositories").iterdir():
        mark.unlink()
    late = Settings(home=tmp_path / "late", store=f"file://{settings.home}/store")
    add(late, small_set(tmp_path / "own", 1, seed=5))
    before = stored(settings)
    with pytest.raises(StoreError, match=r"nothing says whose bytes it has") as caught:
        DataSets(late).gc(store=True)
    assert stored(settings) == before
    # As the message says.
    name = str(caught.value).rpartition(" ")[2]
    (settings.home / "store/dvc" / name).touch()
    assert DataSets(late).gc(store=True).num_stored > 0


def test_an_add_that_failed_leaves_a_mark(tmp_path: Path) -> None:
    """Killed after its push: the store is still known as the repository's own."""
    settings = Settings(home=tmp_path / "new")
    directory = small_set(tmp_path / "own", 1)

    def progress(done: int, total: int, text: str = "") -> None:
        if text == "publishing":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        DataSets(settings).add(directory, "board", "v1", STANDARD, progress=progress)
    assert tags(settings) == []
    assert add(settings, directory).is_new
    _unneeded(settings)
    assert DataSets(settings).gc(store=True).num_stored == 1
    DataSets(settings).pull("v1", tmp_path / "out")
    assert files(tmp_path / "out") == files(directory)
