"""A database that fails, refuses or is not there: one line, without the password."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dataset_tools.catalog import AnnotationRow, Catalog, Conflict, open_catalog
from sub_module.errors import CatalogError
from sub_module.settings import Settings
from tests.dataset_tools.catalog.sets import add_set, new_set, row
from tests.servers.mariadb import PASSWORD, MariaDB

TIMEOUT_SECONDS = 30


@pytest.fixture
def settings(mariadb: MariaDB) -> Settings:
    """Of an empty database on a server that runs again after the test."""
    return Settings(database_url=mariadb.new_url())


@pytest.fixture
def restarted(mariadb: MariaDB) -> Iterator[MariaDB]:
    """The server, which the test may kill."""
    yield mariadb
    mariadb.kill()
    mariadb.start()


def failure_of(settings: Settings) -> str:
    with pytest.raises(CatalogError) as caught:
        open_catalog(settings)
    message = str(caught.value)
    assert "\n" not in message
    assert PASSWORD not in message
    return message


def test_a_server_killed_in_a_transaction_leaves_the_old_state(
    settings: Settings, restarted: MariaDB
) -> None:
    catalog = open_catalog(settings)
    add_set(catalog, "v1", [row("a.jpg")])

    def rows() -> Iterator[AnnotationRow]:
        for i in range(12_000):
            if i == 6_000:
                restarted.kill()
            yield row(f"{i}.jpg")

    with (
        pytest.raises(CatalogError, match=r": the connection was lost, .* is undone: [^\n]+$"),
        catalog.transaction() as session,
    ):
        catalog.add_annotation_set(session, new_set("v2", 12_000), rows())
    with pytest.raises(CatalogError, match=r": cannot be reached: .* refused"):
        catalog.annotation_sets()
    restarted.start()
    assert [s.tag for s in catalog.annotation_sets()] == ["ann-v1"]
    add_set(catalog, "v2", [row("b.jpg")])
    assert catalog.diff("ann-v1", "ann-v2").images.added == ("b.jpg",)


def test_a_server_killed_before_the_commit_leaves_the_old_state(
    settings: Settings, restarted: MariaDB
) -> None:
    catalog = open_catalog(settings)
    with pytest.raises(CatalogError, match=r"the connection was lost"):
        add_set(catalog, "v1", [row("a.jpg")], then=restarted.kill)
    restarted.start()
    assert catalog.annotation_sets() == []


def test_an_exception_of_the_caller_passes_though_the_server_is_gone(
    settings: Settings, restarted: MariaDB
) -> None:
    catalog = open_catalog(settings)

    def fail() -> None:
        restarted.kill()
        raise KeyError("push failed")

    with pytest.raises(KeyError, match="push failed"):
        add_set(catalog, "v1", [row("a.jpg")], then=fail)


@pytest.mark.parametrize("commits", [True, False], ids=["commits", "gives up"])
def test_the_second_of_two_adds_waits_for_the_first(
    settings: Settings, mariadb: MariaDB, commits: bool
) -> None:
    catalog = open_catalog(settings)
    outcomes: list[str] = []

    def second() -> None:
        try:
            add_set(catalog, "v1", [row("second.jpg")])
            outcomes.append("added")
        except Conflict:
            outcomes.append("conflict")

    thread = threading.Thread(target=second)
    try:
        with catalog.transaction() as session:
            catalog.add_annotation_set(session, new_set("v1", 1), [row("first.jpg")])
            thread.start()
            wait_for_a_lock(mariadb)
            if not commits:
                raise KeyError
    except KeyError:
        pass
    thread.join(TIMEOUT_SECONDS)
    assert outcomes == ["conflict" if commits else "added"]


def wait_for_a_lock(mariadb: MariaDB) -> None:
    """Return once some transaction waits for another."""
    waiting = "SELECT COUNT(*) FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'"
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while mariadb.execute(waiting) == [(0,)]:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_server_that_is_not_there(mariadb: MariaDB) -> None:
    url = mariadb.address("d").replace(f":{mariadb.port}", ":1")
    message = failure_of(Settings(database_url=url))
    assert message.startswith("mysql+pymysql://plateflow:***@127.0.0.1:1/d: cannot be reached: ")
    assert "Connection refused" in message


def test_an_unknown_host() -> None:
    url = "mysql+pymysql://user@no-such-host.invalid/d"
    message = failure_of(Settings(database_url=url))
    assert message.startswith(f"{url}: cannot be reached: ")
    assert "no-such-host.invalid" in message


def test_an_unknown_database(mariadb: MariaDB) -> None:
    message = failure_of(Settings(database_url=mariadb.address("nowhere")))
    assert message.endswith(
        "/nowhere: there is no such database; make it with CREATE DATABASE: "
        "Unknown database 'nowhere'"
    )


@pytest.mark.parametrize(
    ("password", "said"),
    [("wrong", "using password: YES"), (None, "using password: NO")],
    ids=["wrong", "none"],
)
def test_access_refused(mariadb: MariaDB, password: str | None, said: str) -> None:
    url = mariadb.address("d", password=password or "", with_password=bool(password))
    message = failure_of(Settings(database_url=url))
    assert ": refuses access: Access denied for user 'plateflow'" in message
    assert said in message
    assert "wrong" not in message


def test_a_user_who_may_not_make_tables(mariadb: MariaDB) -> None:
    mariadb.url("only_reading")
    mariadb.execute("CREATE USER IF NOT EXISTS reader IDENTIFIED BY 'secret'")
    mariadb.execute("GRANT SELECT ON only_reading.* TO reader")
    address = mariadb.address("only_reading", user="reader", password="secret")
    message = failure_of(Settings(database_url=address))
    assert ": refuses access: CREATE command denied to user 'reader'" in message
    assert "secret" not in message


def test_the_password_may_come_by_itself(mariadb: MariaDB) -> None:
    url = mariadb.url("by_itself", with_password=False)
    catalog = open_catalog(Settings(database_url=url, database_password=PASSWORD))
    assert catalog.runs() == []
    assert PASSWORD not in catalog.name


def test_a_name_too_long_is_refused_whatever_the_server_is_set_to(mariadb: MariaDB) -> None:
    mariadb.execute("SET GLOBAL sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES'")
    try:
        catalog = open_catalog(Settings(database_url=mariadb.new_url()))
        with pytest.raises(CatalogError, match=r"Data too long for column 'image'"):
            add_set(catalog, "v1", [row(f"{'a' * 700}.jpg")])
        add_set(catalog, "v1", [row(f"{'가' * 690}.jpg"), row('it\'s \\ "a".jpg')])
    finally:
        mariadb.execute("SET GLOBAL sql_mode = DEFAULT")


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("not a url: secret", r"no URL of a database, such as"),
        ("mysql+pymysql://user:secret@host:port/d", r"no URL of a database, such as"),
        ("mysql+pymysql://user:secret@host", r"names no database, such as"),
        ("postgresql://user:secret@host/d", r"postgresql is not supported; give a URL such as"),
        ("nonsense://user:secret@host/d", r"nonsense is not supported; give a URL such as"),
        ("mysql+pymysql://user:raw@secret/pw@host/d", r"has an @ too many; write @ as %40"),
        ("mysql+pymysql://us/er:secret@host/d", r"has an @ too many; write @ as %40"),
        ("sqlite://", r"names no file, such as"),
        ("sqlite://directory/catalog.sqlite3", r"names no file, such as"),
        ("sqlite://user:secret@host/d", r"names no file, such as"),
    ],
)
def test_a_url_that_cannot_be_used(url: str, reason: str) -> None:
    message = failure_of(Settings(database_url=url))
    assert message.startswith(f"PLATEFLOW_DATABASE_URL: {reason}")
    assert "secret" not in message


def test_options_of_a_url_are_not_shown(tmp_path: Path) -> None:
    path = tmp_path / "catalog.sqlite3"
    catalog = open_catalog(Settings(database_url=f"sqlite:///{path}?cached_statements=9"))
    assert catalog.name == f"sqlite:///{path}"


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    path = tmp_path / "catalog.sqlite3"
    path.write_text("This is no SQLite file, and longer than the header of one would be. " * 9)
    message = failure_of(Settings(home=tmp_path))
    assert message == f"sqlite:///{path}: is no SQLite file: file is not a database"
    assert path.read_text().startswith("This is no SQLite file")


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    message = failure_of(Settings(database_url=f"sqlite:///{tmp_path}/no/catalog.sqlite3"))
    assert message.endswith("cannot be opened: unable to open database file")


def test_a_damaged_file(tmp_path: Path) -> None:
    catalog = open_catalog(Settings(home=tmp_path))
    add_set(catalog, "v1", [row(f"{i}.jpg") for i in range(2000)])
    path = tmp_path / "catalog.sqlite3"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))
    with pytest.raises(CatalogError, match=r"the file is damaged: .*malformed"):
        catalog.annotation_sets()


def test_a_file_that_another_program_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dataset_tools.catalog.connect._WAIT_SECONDS", 0.2)
    catalog: Catalog = open_catalog(Settings(home=tmp_path))
    other = sqlite3.connect(tmp_path / "catalog.sqlite3", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        with pytest.raises(CatalogError, match=r"another process is writing to it; try again"):
            add_set(catalog, "v1", [])
        assert catalog.annotation_sets() == []
    finally:
        other.close()
