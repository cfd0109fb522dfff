"""Run by Alembic: migrates the database of the connection that it is given."""

from __future__ import annotations

from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext

from dataset_tools.catalog.models import Base, Moment


def _written(kind: str, item: Any, autogen: AutogenContext) -> str | Literal[False]:
    """How a new migration writes our own column type, which may change later: as it is today."""
    if kind != "type" or not isinstance(item, Moment):
        return False
    autogen.imports.add("from sqlalchemy.dialects import mysql")
    return 'sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql")'


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_item=_written,
    # SQLite cannot change a column in place: Alembic then copies the table.
    render_as_batch=True,
)
# The caller's transaction goes round it.
context.run_migrations()
