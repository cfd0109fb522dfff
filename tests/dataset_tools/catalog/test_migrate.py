"""How a catalog's tables come to be, on MariaDB and on SQLite."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, inspect, text

from dataset_tools.catalog import Catalog, migrate, open_catalog
from dataset_tools.catalog.connect import catalog_url, connect, for_writing
from dataset_tools.catalog.migrate import HEAD, alembic_config
from dataset_tools.catalog.models import Base
from sub_module.errors import CatalogError
from sub_module.settings import Settings
from tests.dataset_tools.catalog.sets import add_set, row
from tests.servers.mariadb import MariaDB

# Children inherit what is imported here; importing it again would take each two seconds.
FORK = multiprocessing.get_context("fork")


def engine_of(settings: Settings) -> Engine:
    return connect(catalog_url(settings))


def differences(settings: Settings) -> list[Any]:
    """What a database has otherwise than the models."""
    with engine_of(settings).connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        return compare_metadata(context, Base.metadata)


def run_sql(settings: Settings, *statements: str) -> None:
    with for_writing(engine_of(settings)).begin() as connection:
        for statement in statements:
            connection.execute(text(statement))


def test_an_upgraded_database_is_as_the_models_say(settings: Settings) -> None:
    open_catalog(settings)
    assert differences(settings) == []


def test_a_difference_would_be_seen(settings: Settings) -> None:
    open_catalog(settings)
    run_sql(settings, "ALTER TABLE runs ADD COLUMN surplus INTEGER")
    assert differences(settings) != []


def test_the_head_is_the_newest_migration() -> None:
    with create_engine("sqlite://").connect() as connection:
        assert ScriptDirectory.from_config(alembic_config(connection)).get_current_head() == HEAD


def test_every_migration_can_be_undone(settings: Settings) -> None:
    open_catalog(settings)
    with for_writing(engine_of(settings)).connect() as connection:
        command.downgrade(alembic_config(connection), "base")
        connection.commit()
    assert inspect(engine_of(settings)).get_table_names() == ["alembic_version"]
    open_catalog(settings)
    assert differences(settings) == []


def test_opening_again_keeps_what_is_there(settings: Settings) -> None:
    add_set(open_catalog(settings), "v1", [row("a.jpg")])
    assert [s.tag for s in open_catalog(settings).annotation_sets()] == ["ann-v1"]


def test_several_processes_open_an_empty_database_at_once(settings: Settings) -> None:
    barrier = FORK.Barrier(6)
    outcomes = FORK.SimpleQueue()

    def child() -> None:
        barrier.wait()
        try:
            outcomes.put(open_catalog(settings).check().split()[0])
        except BaseException as error:
            outcomes.put(repr(error))

    children = [FORK.Process(target=child) for _ in range(6)]
    for process in children:
        process.start()
    for process in children:
        process.join(60)
    product = "MariaDB" if settings.database_url else "SQLite"
    assert [outcomes.get() for _ in children] == [product] * 6
    assert differences(settings) == []


def test_several_threads_open_databases_of_their_own_at_once(tmp_path: Path) -> None:
    barrier = threading.Barrier(4)

    def child(number: int) -> str:
        barrier.wait(60)
        return open_catalog(Settings(home=tmp_path / str(number))).check().split()[0]

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(child, range(4))) == ["SQLite"] * 4


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE alembic_version",
        "CREATE TABLE IF NOT EXISTS annotation_sets",
        "CREATE TABLE IF NOT EXISTS images",
        "CREATE TABLE IF NOT EXISTS models",
        "INSERT INTO alembic_version",
    ],
)
def test_a_process_killed_while_it_migrates_does_no_harm(
    settings: Settings, statement: str
) -> None:
    def child() -> None:
        def die(_connection: Any, _cursor: Any, sql: str, *_rest: Any) -> None:
            if sql.strip().startswith(statement):
                os.kill(os.getpid(), signal.SIGKILL)

        event.listen(Engine, "before_cursor_execute", die)
        open_catalog(settings)

    process = FORK.Process(target=child)
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    open_catalog(settings)
    assert differences(settings) == []


@pytest.fixture
def later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where to put migration 0002 of a code that has one."""

    def config(connection: Connection) -> Config:
        made = alembic_config(connection)
        ours = Path(ScriptDirectory.from_config(made).versions)
        made.set_main_option("version_locations", f"{ours}{os.pathsep}{tmp_path / 'later'}")
        return made

    (tmp_path / "later").mkdir()
    monkeypatch.setattr(migrate, "alembic_config", config)
    monkeypatch.setattr(migrate, "HEAD", "0002")
    return tmp_path / "later"


def test_an_older_catalog_is_brought_up_to_date(settings: Settings, later: Path) -> None:
    """By a migration that Alembic writes, as docs/catalog.md says."""
    write_first(settings)
    run_sql(settings, "DROP TABLE models")
    with engine_of(settings).connect() as connection:
        arguments = {"rev_id": "0002", "version_path": str(later), "autogenerate": True}
        command.revision(migrate.alembic_config(connection), "models again", **arguments)
    catalog = open_catalog(settings)
    assert differences(settings) == []
    assert catalog.models() == []
    assert [s.tag for s in catalog.annotation_sets()] == ["ann-v1"]


def test_a_table_that_is_copied_keeps_the_rows_that_refer_to_it(
    settings: Settings, later: Path
) -> None:
    write_first(settings)
    (later / "copied.py").write_text(
        """
from alembic import op
revision, down_revision = "0002", "0001"
def upgrade():
    with op.batch_alter_table("annotation_sets") as batch:
        batch.drop_column("num_plates")
"""
    )
    open_catalog(settings)
    with engine_of(settings).connect() as connection:
        assert connection.scalars(text("SELECT image FROM annotations")).all() == ["a.jpg"]
        columns = [c["name"] for c in inspect(connection).get_columns("annotation_sets")]
    assert "num_plates" not in columns


def write_first(settings: Settings) -> None:
    """A catalog at the first migration, with a set."""
    with for_writing(engine_of(settings)).connect() as connection:
        command.upgrade(alembic_config(connection), "0001")
        connection.commit()
    add_set(Catalog(engine_of(settings), "test"), "v1", [row("a.jpg")])


def test_a_newer_schema_is_left_alone(settings: Settings) -> None:
    open_catalog(settings)
    run_sql(settings, "UPDATE alembic_version SET version_num = 'f00d'")
    with pytest.raises(CatalogError, match=r"schema 'f00d' is newer .*; update Plateflow$"):
        open_catalog(settings)


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        (["posts", "users"], r"holds another program's tables \(posts, users\)"),
        (["a", "b", "c", "d"], r"holds another program's tables \(a, b, c, \.\.\.\)"),
        (["images"], r"holds another program's tables \(images\)"),
    ],
    ids=["others", "many", "named as one of ours"],
)
def test_another_program_s_database_is_left_alone(
    settings: Settings, tables: list[str], message: str
) -> None:
    catalog_url(settings)
    run_sql(settings, *(f"CREATE TABLE {name} (id INTEGER)" for name in tables))
    with pytest.raises(CatalogError, match=message):
        open_catalog(settings)
    assert sorted(inspect(engine_of(settings)).get_table_names()) == tables


def test_another_program_s_alembic_is_left_alone(settings: Settings) -> None:
    catalog_url(settings)
    run_sql(
        settings,
        "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)",
        "INSERT INTO alembic_version VALUES ('f00d')",
    )
    with pytest.raises(CatalogError, match=r"schema 'f00d' is another program's; give the"):
        open_catalog(settings)
    assert inspect(engine_of(settings)).get_table_names() == ["alembic_version"]


def test_tables_are_utf8_and_binary_whatever_the_database_is(mariadb: MariaDB) -> None:
    settings = Settings(database_url=mariadb.new_url())
    database = str(catalog_url(settings).database)
    mariadb.execute(f"ALTER DATABASE `{database}` CHARACTER SET latin1")
    open_catalog(settings)
    found = mariadb.execute(
        "SELECT DISTINCT table_collation, engine FROM information_schema.tables "
        f"WHERE table_schema = '{database}' AND table_name <> 'alembic_version'"
    )
    assert found == [("utf8mb4_bin", "InnoDB")]


def test_a_url_of_mariadb_is_the_same_as_of_mysql(mariadb: MariaDB) -> None:
    settings = Settings(database_url=mariadb.url("by_its_name", scheme="mariadb"))
    assert open_catalog(settings).check().startswith("MariaDB 1")
    assert differences(settings) == []


def test_sqlite_lets_readers_read_while_one_writes(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    catalog = open_catalog(settings)
    assert catalog.name == f"sqlite:///{tmp_path}/catalog.sqlite3"
    with catalog.transaction() as session:
        session.execute(text("DELETE FROM runs"))
        assert open_catalog(settings).runs() == []
    with sqlite3.connect(tmp_path / "catalog.sqlite3") as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
