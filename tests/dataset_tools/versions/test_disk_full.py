"""A disk too small for a pull, or full in the middle of it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from dataset_tools.versions import DataSets
from sub_module.errors import DataError, PlateflowError
from sub_module.settings import Settings
from tests.dataset_tools.versions.sets import STANDARD, add, files, leftovers, small_set, tags

_DISK_BYTES = 8 << 20


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own with a few megabytes."""
    directory = tmp_path / "disk"
    directory.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={_DISK_BYTES}", "tmpfs", str(directory)]
    done = subprocess.run(mount, capture_output=True, text=True)
    if done.returncode:
        reason = f"only root may mount a small disk for this test: {done.stderr.strip()}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    try:
        yield directory
    finally:
        subprocess.run(["umount", "--lazy", str(directory)], check=True)


def _fill(disk: Path, free_bytes: int = 0) -> Path:
    """Leave so much room on the disk; gives the file that takes the rest."""
    filler = disk / "filler"
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        while shutil.disk_usage(disk).free > free_bytes:
            file.write(bytes(4096))
    return filler


def test_too_little_room_is_said_at_once(
    settings: Settings, small_disk: Path, tmp_path: Path
) -> None:
    filler = _fill(small_disk, free_bytes=8192)
    with pytest.raises(DataError, match=r"no room for ann-v1: it needs 0.0 MB") as caught:
        DataSets(settings).pull("v1", small_disk / "out")
    assert "\n" not in str(caught.value)
    assert list(small_disk.iterdir()) == [filler]
    # Links need none, but there are none between two file systems.
    with pytest.raises(DataError, match=r"no room for ann-v1"):
        DataSets(settings).pull("v1", small_disk / "out", editable=False)


def test_a_disk_that_fills_up_in_the_middle(
    settings: Settings, small_disk: Path, tmp_path: Path
) -> None:
    # So that there is something to fetch, after the room was checked.
    shutil.rmtree(settings.home / "versions" / "cache")
    fillers = []

    def progress(done: int, total: int, text: str = "") -> None:
        if text.startswith("dvc fetch"):
            # The first files fit.
            fillers.append(_fill(small_disk, free_bytes=16384))

    with pytest.raises(DataError, match=r"disk/out: no room for ann-v1"):
        DataSets(settings).pull("v1", small_disk / "out", progress=progress)
    assert list(small_disk.iterdir()) == fillers
    fillers[0].unlink()
    DataSets(settings).pull("v1", small_disk / "out")
    assert files(small_disk / "out") == files(tmp_path / "set1")


def test_a_cache_that_fills_up_in_the_middle(
    settings: Settings, small_disk: Path, tmp_path: Path
) -> None:
    directory = small_set(tmp_path / "large", 2, seed=5, size=(960, 720))
    add(settings, directory, "v3")
    elsewhere = Settings(
        home=small_disk / "home",
        datasets=str(settings.home / "datasets.git"),
        store=f"file://{settings.home}/store",
    )
    fillers = []

    def progress(done: int, total: int, text: str = "") -> None:
        if text.startswith("dvc fetch"):
            # DVC's own state fits, the images do not.
            fillers.append(_fill(small_disk, free_bytes=400_000))

    with pytest.raises(DataError, match=r"no room for ann-v3: it needs") as caught:
        DataSets(elsewhere).pull("v3", tmp_path / "out", progress=progress)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()
    assert leftovers(elsewhere) == []
    fillers[0].unlink()
    DataSets(elsewhere).pull("v3", tmp_path / "out")
    assert files(tmp_path / "out") == files(directory)


def test_an_add_without_room(settings: Settings, small_disk: Path, tmp_path: Path) -> None:
    directory = small_set(tmp_path / "large", 2, seed=5, size=(960, 720))
    home = Settings(home=small_disk / "home", store=f"file://{tmp_path}/store")
    fillers = []

    def progress(done: int, total: int, text: str = "") -> None:
        if not fillers:
            fillers.append(_fill(small_disk))

    with pytest.raises(PlateflowError, match=r"full|No space left") as caught:
        DataSets(home).add(directory, "board", "v1", STANDARD, progress=progress)
    assert "\n" not in str(caught.value)
    assert tags(home) == []
    assert leftovers(home) == []
