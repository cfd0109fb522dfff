"""What databases say when something fails, as one line for people."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from dataset_tools.catalog.rows import Conflict
from sub_module.errors import CatalogError

_MAX_CHARACTERS = 300
_DUPLICATE = 1062
_LOST = "the connection was lost, and what was not committed is undone"
_BUSY = "another process is writing to it; try again"
# By the number that MySQL and MariaDB (1xxx) or PyMySQL (2xxx) give it.
_MEANINGS = {
    1040: "takes no more connections",
    1044: "refuses access",
    1045: "refuses access",
    1049: "there is no such database; make it with CREATE DATABASE",
    1053: _LOST,
    1142: "refuses access",
    1205: _BUSY,
    1213: _BUSY,
    1698: "refuses access",
    1927: _LOST,
    2003: "cannot be reached",
    2006: _LOST,
    2013: _LOST,
}
# By a part of what SQLite says.
_SQLITE_MEANINGS = {
    "is locked": _BUSY,
    "not a database": "is no SQLite file",
    "malformed": "the file is damaged",
    "unable to open": "cannot be opened",
}


@contextmanager
def in_one_line(name: str) -> Iterator[None]:
    """Turn what SQLAlchemy raises into one line that names the database.

    Raises:
        Conflict: A row is there already.
        CatalogError: Anything else.
    """
    try:
        yield
    except SQLAlchemyError as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        raise _error(name, cause or error) from error
    except sqlite3.Error as error:
        raise _error(name, error) from error


def _error(name: str, cause: BaseException) -> CatalogError:
    meaning, reason = _meaning(cause), _reason(cause)
    text = f"{name}: {meaning}: {reason}" if meaning and reason else f"{name}: {meaning or reason}"
    return Conflict(text) if meaning == "is there already" else CatalogError(text)


def _meaning(cause: BaseException) -> str | None:
    if isinstance(cause, sqlite3.Error):
        if getattr(cause, "sqlite_errorname", "") in (
            "SQLITE_CONSTRAINT_UNIQUE",
            "SQLITE_CONSTRAINT_PRIMARYKEY",
        ):
            return "is there already"
        return next((text for part, text in _SQLITE_MEANINGS.items() if part in str(cause)), None)
    number = cause.args[0] if cause.args else None
    if number == _DUPLICATE:
        return "is there already"
    # PyMySQL says 0 of a connection that broke before.
    return _LOST if number == 0 else _MEANINGS.get(number) if isinstance(number, int) else None


def _reason(cause: BaseException) -> str:
    # PyMySQL's arguments are a number and a text.
    text = str(cause.args[-1]) if cause.args else str(cause)
    line = " ".join(text.split())
    return line if len(line) <= _MAX_CHARACTERS else f"{line[:_MAX_CHARACTERS]}..."
