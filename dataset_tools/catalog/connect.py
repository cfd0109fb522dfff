"""From the settings to an SQLAlchemy engine."""

from __future__ import annotations

import json
import sqlite3
import time
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import NullPool

from sub_module.errors import CatalogError
from sub_module.settings import Settings
from sub_module.urls import shown_url

_EXAMPLE = "such as mysql+pymysql://user@host/plateflow or sqlite:////directory/catalog.sqlite3"
_CONNECT_SECONDS = 10
# How long one writer waits for another, on either database.
_WAIT_SECONDS = 120
# Longer than any statement of ours takes; without a limit a dead network would hang for ever.
_ANSWER_SECONDS = 600
# Whatever the server is set to: what does not fit a column is refused and never cut, and
# backslashes and quotes mean what the driver thinks they mean.
_MYSQL_SESSION = (
    "SET SESSION time_zone = '+00:00', "
    "sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', "
    f"innodb_lock_wait_timeout = {_WAIT_SECONDS}"
)


def catalog_url(settings: Settings) -> URL:
    """Where the catalog is: what the settings say, else a file in the home, which is made.

    Raises:
        CatalogError: It is no URL of a database that Plateflow knows.
        OSError: The home cannot be made.
    """
    if settings.database_url is None:
        settings.home.mkdir(parents=True, exist_ok=True)
        return URL.create("sqlite", database=str(settings.home.absolute() / "catalog.sqlite3"))
    return database_url(settings.database_url, "PLATEFLOW_DATABASE_URL", settings)


def database_url(text: str, where: str, settings: Settings) -> URL:
    """A URL as a person wrote it, with the password of the settings if it has none.

    Args:
        text: The URL.
        where: What the message calls it; the URL itself may hold a password.
        settings: For the password.

    Raises:
        CatalogError: It is no URL of a database that Plateflow knows.
    """
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        # Without its cause, which may show the password.
        raise CatalogError(f"{where}: no URL of a database, {_EXAMPLE}") from None
    backend = url.get_backend_name()
    if backend != "sqlite" and (text.count("@") > 1 or "@" in str(url.database)):
        # A part of the password would be taken for the host, and messages would show it.
        raise CatalogError(
            f"{where}: has an @ too many; write @ as %40, / as %2F and : as %3A in a user or "
            "password, or give it as PLATEFLOW_DATABASE_PASSWORD"
        )
    if backend == "sqlite":
        # What stands behind two slashes would be a server.
        if url.database in (None, "", ":memory:") or url.host or url.username:
            raise CatalogError(f"{where}: names no file, {_EXAMPLE}")
        return url
    if backend not in ("mysql", "mariadb"):
        raise CatalogError(f"{where}: {backend} is not supported; give a URL {_EXAMPLE}")
    if not url.database:
        raise CatalogError(f"{where}: names no database, {_EXAMPLE}")
    if url.password is None and settings.database_password is not None:
        url = url.set(password=settings.database_password.get_secret_value())
    # One driver for both; it finds out which of the two it talks to.
    return url.set(drivername="mysql+pymysql")


def shown(url: URL) -> str:
    """The URL for messages: stars for the password, and no options, which may hold secrets."""
    return shown_url(url.set(query={}).render_as_string(hide_password=False))


def connect(url: URL) -> Engine:
    """An engine, which connects when it is first used."""
    options: dict[str, Any] = {
        # A connection a transaction: none goes stale during hours of training, or over a fork.
        "poolclass": NullPool,
        # Thousands of rows do not belong into a message.
        "hide_parameters": True,
        "json_serializer": _to_json,
    }
    if url.get_backend_name() == "sqlite":
        engine = create_engine(url, connect_args={"timeout": _WAIT_SECONDS}, **options)
        event.listen(engine, "connect", _on_sqlite_connect)
        event.listen(engine, "begin", _on_sqlite_begin)
        return engine
    timeouts = {
        "connect_timeout": _CONNECT_SECONDS,
        "read_timeout": _ANSWER_SECONDS,
        "write_timeout": _ANSWER_SECONDS,
    }
    arguments = {"charset": "utf8mb4", "init_command": _MYSQL_SESSION, **timeouts}
    return create_engine(url, connect_args=arguments, **options)


def for_writing(engine: Engine) -> Engine:
    """The same engine, whose transactions write from their beginning.

    In SQLite one that reads first and writes later fails when another has written meanwhile.
    """
    return engine.execution_options(plateflow_writes=True)


def use_wal(path: Path) -> None:
    """Make readers of an SQLite file never wait for a writer; the file remembers it.

    Raises:
        sqlite3.Error: It is no SQLite file, or cannot be written.
    """
    deadline = time.monotonic() + _WAIT_SECONDS
    while True:
        connection = sqlite3.connect(path, timeout=1)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            # Of two that switch at once SQLite refuses one, without waiting.
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        finally:
            connection.close()


def _on_sqlite_connect(connection: sqlite3.Connection, _record: object) -> None:
    # Python's driver would begin transactions by itself, but not before a CREATE TABLE.
    connection.isolation_level = None
    connection.execute("PRAGMA foreign_keys = ON")


def _on_sqlite_begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("plateflow_writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _to_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
