"""Deleting bytes that no version needs."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dataset_tools.versions import DataSets
from dataset_tools.versions.objects import Cache
from dataset_tools.versions.work import Workshop
from sub_module.errors import DataError, StoreError
from sub_module.settings import Settings
from tests.dataset_tools.versions.sets import files, stored
from tests.standards import REPOSITORY


def _cached(settings: Settings) -> set[str]:
    return {name for name, _ in Cache(settings.home / "versions" / "cache").objects()}


def test_what_versions_need_stays(settings: Settings, tmp_path: Path) -> None:
    needed = set(stored(settings))
    assert _cached(settings) == needed
    # Of an add that failed, and of a transfer that broke.
    cache = Cache(settings.home / "versions" / "cache")
    cache.keep(tmp_path / "set1" / "000000.jpg")
    (tmp_path / "other").write_bytes(b"other")
    cache.keep(tmp_path / "other")
    store = settings.home / "store" / "dvc" / "files" / "md5" / "00"
    store.mkdir(exist_ok=True)
    (store / f"{'0' * 30}.dir").write_bytes(b"[]")
    (store / ".part.tmp").write_bytes(b"part")

    freed = DataSets(settings).gc(store=False)
    assert (freed.num_cached, freed.cached_bytes, freed.num_stored) == (1, 5, 0)
    freed = DataSets(settings).gc(store=True)
    assert (freed.num_cached, freed.num_stored, freed.stored_bytes) == (0, 2, 6)
    assert set(stored(settings)) == _cached(settings) == needed
    shutil.rmtree(settings.home / "versions" / "cache")
    DataSets(settings).pull("v2", tmp_path / "out")
    assert files(tmp_path / "out") == files(tmp_path / "set2")


def test_nothing_is_deleted_when_a_listing_is_lost(settings: Settings) -> None:
    for root in ("store/dvc", "versions/cache"):
        next((settings.home / root).rglob("*.dir")).unlink()
    (settings.home / "store/dvc/files/md5/00").mkdir(exist_ok=True)
    (settings.home / "store/dvc/files/md5/00/11").write_bytes(b"unneeded")
    for listing in (settings.home / "versions" / "cache").rglob("*.dir"):
        listing.unlink()
    before = stored(settings)
    with pytest.raises(StoreError, match=r"missing or damaged"):
        DataSets(settings).gc(store=True)
    assert stored(settings) == before


def test_nobody_deletes_while_somebody_works(settings: Settings) -> None:
    workshop = Workshop(settings.home / "versions")
    with workshop.folder(), pytest.raises(DataError, match=r"another command is adding or pulling"):
        DataSets(settings).gc(store=False)
    DataSets(settings).gc(store=False)


def test_what_a_killed_process_left_is_swept(tmp_path: Path) -> None:
    root = tmp_path / "versions"
    code = (
        "import sys, time; from pathlib import Path; "
        "from dataset_tools.versions.work import Workshop\n"
        "with Workshop(Path(sys.argv[1])).folder() as work:\n"
        "    (work / 'file').write_text('x'); print('in', flush=True); time.sleep(60)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(root)],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "in\n"
    (root / "cache" / "files" / "md5" / "ab").mkdir(parents=True)
    partial = root / "cache" / "files" / "md5" / "ab" / ".x.tmp"
    partial.write_text("x")
    with Workshop(root).folder():
        # Alive: all of it stays.
        assert len(list(root.glob("work-*/file"))) == 1
        assert partial.exists()
    process.send_signal(signal.SIGKILL)
    process.wait()
    with Workshop(root).folder() as work:
        assert list(root.glob("work-*")) == [work]
        assert not partial.exists()


def test_dvc_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    """The leash, with a module of the test's own for DVC, which would run for a minute."""
    package = tmp_path / "dvc"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "cli.py").write_text(
        "import os, pathlib, sys, time\n"
        "def main(arguments):\n"
        "    pathlib.Path(arguments[0]).write_text(str(os.getpid()))\n"
        "    time.sleep(60)\n"
    )
    code = (
        "import sys; from pathlib import Path\n"
        "from dataset_tools.versions import dvc, process\n"
        "process.run_child([sys.executable, '-P', dvc._LEASH, sys.argv[1]], Path.cwd(),\n"
        "          {'PYTHONPATH': sys.argv[2]})\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "pid"), str(tmp_path)],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
    deadline = time.monotonic() + 60
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    child = int((tmp_path / "pid").read_text())
    parent.kill()
    parent.wait()
    while _is_alive(child):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _is_alive(process: int) -> bool:
    try:
        status = Path(f"/proc/{process}/stat").read_text()
    except FileNotFoundError:
        return False
    # A zombie, whose parent has not been told yet, is dead.
    return status.rpartition(")")[2].split()[0] != "Z"
