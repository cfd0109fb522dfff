"""Versions with a real MariaDB and a real Google Cloud Storage, which fail in the middle."""

from __future__ import annotations

import hashlib
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dataset_tools.catalog import open_catalog
from dataset_tools.store.place import open_place
from dataset_tools.versions import DataSets, Noted
from dataset_tools.versions.dvc import REMOTE
from sub_module.errors import CatalogError, StoreError
from sub_module.settings import Settings
from tests.dataset_tools.versions.sets import (
    STANDARD,
    add,
    files,
    leftovers,
    noted,
    small_set,
    stored,
    tags,
)
from tests.servers.gcs import Gcs
from tests.servers.mariadb import MariaDB
from tests.servers.service_account import ServiceAccount


@pytest.fixture
def database(mariadb: MariaDB) -> Iterator[MariaDB]:
    """The server; after the test it runs again."""
    yield mariadb
    mariadb.kill()
    mariadb.start()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return small_set(tmp_path / "set", 2)


def test_a_database_killed_while_rows_are_inserted(
    database: MariaDB, directory: Path, tmp_path: Path
) -> None:
    settings = Settings(home=tmp_path / "home", database_url=database.new_url())
    open_catalog(settings)
    name = str(settings.database_url).rpartition("/")[2]
    killer = threading.Thread(target=_kill_when_blocked, args=(database, name))
    killer.start()
    with pytest.raises(CatalogError, match=r"the connection was lost") as caught:
        add(settings, directory)
    killer.join()
    assert "\n" not in str(caught.value)
    assert tags(settings) == []
    assert leftovers(settings) == []
    database.start()
    assert noted(settings) == []
    assert add(settings, directory).is_new
    assert tags(settings) == noted(settings) == ["ann-v1"]


def _kill_when_blocked(database: MariaDB, name: str) -> None:
    """Stop an insert half way by a lock of the table, then kill the server under it."""
    holder = database._connect(name)
    with holder.cursor() as cursor:
        cursor.execute("LOCK TABLES annotations WRITE")
    query = (
        "SELECT COUNT(*) FROM information_schema.processlist "
        "WHERE state LIKE '%table metadata lock%'"
    )
    deadline = time.monotonic() + 60
    while database.execute(query) != [(1,)] and time.monotonic() < deadline:
        time.sleep(0.02)
    database.kill()
    holder.close()


def test_a_database_killed_between_the_tag_and_the_commit(
    database: MariaDB, directory: Path, tmp_path: Path
) -> None:
    origin = tmp_path / "origin.git"
    subprocess.run(["git", "init", "-q", "--bare", origin], check=True)
    # Git runs it when it has taken a push, and answers afterwards.
    hook = origin / "hooks" / "post-receive"
    hook.write_text(
        f'#!/bin/sh\ngrep -q refs/tags/ && kill -9 "$(cat {database.directory}/server.pid)"\n'
    )
    hook.chmod(0o755)
    settings = Settings(
        home=tmp_path / "home", database_url=database.new_url(), datasets=str(origin)
    )
    with pytest.raises(CatalogError, match=r"^ann-v1 is published, but the catalog lacks it; "):
        add(settings, directory)
    database.kill()
    database.start()
    assert tags(settings) == ["ann-v1"]
    assert noted(settings) == []
    assert [each.noted for each in DataSets(settings).listed()] == [Noted.MISSING]
    assert not add(settings, directory).is_new
    assert noted(settings) == ["ann-v1"]


def test_a_database_that_is_down_is_said_before_any_work(
    database: MariaDB, directory: Path, tmp_path: Path
) -> None:
    settings = Settings(home=tmp_path / "home", database_url=database.new_url())
    database.kill()
    with pytest.raises(CatalogError, match=r"cannot be reached"):
        add(settings, directory)
    assert stored(settings) == {}
    assert leftovers(settings) == []


def test_a_private_bucket_that_fails_for_a_while(
    gcs: Gcs, directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = ServiceAccount(gcs.token_uri)
    for name, value in account.environment("escaped").items():
        monkeypatch.setenv(name, value)
    gcs.admit_only(account)
    settings = Settings(home=tmp_path / "home", store=gcs.store)
    # Nobody but DVC asks for a file of the set; only its listing is read by us too.
    image_md5 = hashlib.md5((directory / "000000.jpg").read_bytes()).hexdigest()

    def progress(done: int, total: int, text: str = "") -> None:
        if text.startswith("dvc push"):
            gcs.fail(503, times=2, matching="POST /upload/")
        if text.startswith("dvc fetch"):
            gcs.fail(503, times=2, matching=image_md5[2:])

    DataSets(settings).add(directory, "board", "v1", STANDARD, progress=progress)
    failed = [asked for asked in gcs.asked if asked.status == 503]
    assert [asked.method for asked in failed] == ["POST", "POST"]
    elsewhere = Settings(
        home=tmp_path / "elsewhere",
        store=gcs.store,
        datasets=str(settings.home / "datasets.git"),
    )
    DataSets(elsewhere).pull("v1", tmp_path / "out", progress=progress)
    assert files(tmp_path / "out") == files(directory)
    failed = [asked for asked in gcs.asked if asked.status == 503][2:]
    assert [asked.method for asked in failed] == ["GET", "GET"]
    assert all(image_md5[2:] in asked.path for asked in failed)
    _check_care_of_the_bucket(settings, directory)
    for home in (settings.home, elsewhere.home):
        for path in home.rglob("*"):
            assert not path.is_file() or b"PRIVATE KEY" not in path.read_bytes()


def _check_care_of_the_bucket(settings: Settings, directory: Path) -> None:
    """What no version needs goes, what is lost comes back."""
    remote = open_place(settings, REMOTE)
    needed = set(remote.found("files/"))
    remote.write("files/md5/00/11", b"unneeded")
    freed = DataSets(settings).gc(store=True)
    assert (freed.num_stored, freed.stored_bytes) == (1, 8)
    assert set(remote.found("files/")) == needed
    remote.delete(min(needed))
    assert not add(settings, directory).is_new
    assert set(remote.found("files/")) == needed


def test_a_bucket_that_refuses_us(gcs: Gcs, directory: Path, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home", store=gcs.store)
    gcs.admit_only(ServiceAccount(gcs.token_uri))
    with pytest.raises(StoreError) as caught:
        add(settings, directory)
    assert str(caught.value).startswith(gcs.store)
    assert "\n" not in str(caught.value)
    assert not gcs.uploads()
    assert tags(settings) == noted(settings) == []
    gcs.account = None

    def progress(done: int, total: int, text: str = "") -> None:
        if text.startswith("dvc push"):
            gcs.fail(403)

    with pytest.raises(StoreError, match=r"cannot be written: .*(Forbidden|access)") as caught:
        DataSets(settings).add(directory, "board", "v1", STANDARD, progress=progress)
    assert "\n" not in str(caught.value)
    assert tags(settings) == noted(settings) == []
    assert leftovers(settings) == []
    gcs.failures.clear()
    assert add(settings, directory).is_new
    assert tags(settings) == noted(settings) == ["ann-v1"]
