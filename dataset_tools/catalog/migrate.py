"""Brings a database's schema to the one of this code, one process at a time."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, inspect, text

from dataset_tools.catalog.connect import for_writing, use_wal
from sub_module.errors import CatalogError

if TYPE_CHECKING:
    from alembic.config import Config

# The newest migration's; said here too, since Alembic takes a second to import.
HEAD = "0001"
# May stand in the same database, so that its users need no second one.
FIRST_SYSTEM_TABLES = frozenset({"ann_data", "image_data", "train_data"})
_VERSION_TABLE = "alembic_version"
_WAIT_SECONDS = 120
# Alembic keeps what it works on in a global of its module.
_ONE_THREAD = threading.Lock()


def migrate(engine: Engine, name: str) -> None:
    """Make or change the tables if they are not as this code needs them.

    A process that is killed meanwhile does no harm: the next one goes on.

    Args:
        engine: Of the database.
        name: Of the database, for messages.

    Raises:
        CatalogError: The database is no catalog, or is newer than this code.
        SQLAlchemyError: The database fails.
    """
    with engine.connect() as connection:
        if _revision(connection) == HEAD:
            return
    if engine.dialect.name == "sqlite":
        use_wal(Path(str(engine.url.database)))
    with _ONE_THREAD, _alone(engine, name) as connection:
        found = _revision(connection)
        if found == HEAD:
            return
        _check(connection, found, name)
        from alembic import command

        command.upgrade(alembic_config(connection), "head")
        connection.commit()


def alembic_config(connection: Connection) -> Config:
    """What Alembic's commands need to work on a connection."""
    from alembic.config import Config

    config = Config()
    place = str(Path(__file__).with_name("migrations"))
    # The option is a template in which a percent sign means something.
    config.set_main_option("script_location", place.replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def _revision(connection: Connection) -> str | None:
    """What a database's schema is at; None when it has none yet."""
    if not inspect(connection).has_table(_VERSION_TABLE):
        return None
    found: str | None = connection.scalar(text(f"SELECT version_num FROM {_VERSION_TABLE}"))
    return found


def _check(connection: Connection, found: str | None, name: str) -> None:
    """Refuse a database of somebody else, and one of a newer Plateflow."""
    from alembic.script import ScriptDirectory

    from dataset_tools.catalog.models import Base

    ours = set(Base.metadata.tables)
    tables = set(inspect(connection).get_table_names())
    if found is None:
        # MySQL commits each CREATE TABLE: a killed migration leaves Alembic's table and some of
        # ours, and no revision.
        begun = _VERSION_TABLE in tables
        others = tables - {_VERSION_TABLE} - FIRST_SYSTEM_TABLES - (ours if begun else set())
        if others:
            named = ", ".join(sorted(others)[:3]) + (", ..." if len(others) > 3 else "")
            raise CatalogError(
                f"{name}: holds another program's tables ({named}); "
                "give the catalog a database of its own"
            )
        return
    scripts = ScriptDirectory.from_config(alembic_config(connection))
    if found not in {script.revision for script in scripts.walk_revisions()}:
        if ours <= tables:
            reason = f"newer than this Plateflow's {HEAD!r}; update Plateflow"
        else:
            reason = "another program's; give the catalog a database of its own"
        raise CatalogError(f"{name}: its schema {found!r} is {reason}")


@contextmanager
def _alone(engine: Engine, name: str) -> Iterator[Connection]:
    """A connection that no other process has at the same time for this database."""
    with for_writing(engine).connect() as connection:
        if engine.dialect.name == "sqlite":
            # A migration may replace a table by a changed copy; to drop the old one would delete
            # the rows that refer to it. It has no effect inside a transaction.
            connection.connection.cursor().execute("PRAGMA foreign_keys = OFF")
            # The transaction, which begins with the first statement, locks the whole file.
            yield connection
            return
        # Names are the server's, not the database's, and short.
        lock = f"plateflow-{hashlib.md5(str(engine.url.database).encode()).hexdigest()}"
        got = connection.scalar(
            text("SELECT GET_LOCK(:lock, :seconds)"), {"lock": lock, "seconds": _WAIT_SECONDS}
        )
        if got != 1:
            raise CatalogError(f"{name}: another process is changing its schema; try again")
        # The server lets go of it when the connection ends, however it ends.
        yield connection
