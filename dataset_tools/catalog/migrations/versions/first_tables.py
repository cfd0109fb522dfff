"""The first tables: annotation sets, training sets, runs, models."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql
from sqlalchemy.schema import SchemaItem

revision = "0001"
down_revision = None


def upgrade() -> None:
    """From an empty database, or from the part of these tables that a killed upgrade made."""
    _annotation_sets()
    _training_sets()
    _runs()
    _models()


def downgrade() -> None:
    """Back to an empty database."""
    for table in ("models", "runs", "images", "training_sets", "annotations", "annotation_sets"):
        op.drop_table(table)


def _annotation_sets() -> None:
    _create("annotation_sets", *_set_columns(), *_figures_of_annotations())
    _create(
        "annotations",
        sa.Column("annotation_set_id", sa.Integer(), nullable=False),
        _text("image", 700),
        _text("label_file", 700),
        _text("image_md5", 32, nullable=True),
        _text("label_md5", 32, nullable=True),
        sa.Column("image_bytes", sa.BigInteger(), nullable=True),
        sa.Column("label_bytes", sa.BigInteger(), nullable=True),
        sa.Column("num_plates", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("annotation_set_id", "image", name=op.f("pk_annotations")),
        _refers("annotations", "annotation_set_id", "annotation_sets", ondelete="CASCADE"),
        with_rowid=False,
    )


def _figures_of_annotations() -> list[SchemaItem]:
    return [
        sa.Column("num_images", sa.Integer(), nullable=False),
        sa.Column("num_plates", sa.Integer(), nullable=True),
        sa.Column("class_counts", sa.JSON(), nullable=False),
        *_set_constraints("annotation_sets"),
    ]


def _training_sets() -> None:
    _create(
        "training_sets",
        *_set_columns(),
        sa.Column("annotation_set_id", sa.Integer(), nullable=True),
        sa.Column("split", sa.JSON(), nullable=False),
        sa.Column("num_images", sa.JSON(), nullable=False),
        *_set_constraints("training_sets"),
        _refers("training_sets", "annotation_set_id", "annotation_sets"),
    )
    _create(
        "images",
        sa.Column("training_set_id", sa.Integer(), nullable=False),
        _text("image", 700),
        _text("purpose", 5),
        _text("record_file", 700),
        _text("annotation_image", 700, nullable=True),
        sa.PrimaryKeyConstraint("training_set_id", "image", name=op.f("pk_images")),
        sa.CheckConstraint("purpose IN ('train', 'val', 'test')", name=op.f("ck_images_purpose")),
        _refers("images", "training_set_id", "training_sets", ondelete="CASCADE"),
        with_rowid=False,
    )


def _runs() -> None:
    _create(
        "runs",
        sa.Column("id", sa.Integer(), nullable=False),
        _text("name", 255),
        _text("pipeline", 200),
        _text("version", 200),
        _text("state", 20),
        sa.Column("training_set_id", sa.Integer(), nullable=True),
        sa.Column("metrics", sa.JSON(), nullable=False),
        _moment("created_at"),
        _moment("updated_at"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_runs")),
        sa.UniqueConstraint("name", name=op.f("uq_runs_name")),
        _refers("runs", "training_set_id", "training_sets"),
    )


def _models() -> None:
    _create(
        "models",
        sa.Column("id", sa.Integer(), nullable=False),
        _text("path", 700),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("training_set_id", sa.Integer(), nullable=True),
        _text("checkpoint_sha256", 64),
        sa.Column("metrics", sa.JSON(), nullable=False),
        sa.Column("is_deployed", sa.Boolean(), nullable=False),
        _moment("created_at"),
        _moment("updated_at"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_models")),
        sa.UniqueConstraint("path", name=op.f("uq_models_path")),
        _refers("models", "run_id", "runs"),
        _refers("models", "training_set_id", "training_sets"),
    )


def _set_columns() -> list[SchemaItem]:
    return [
        sa.Column("id", sa.Integer(), nullable=False),
        _text("category", 100),
        _text("version", 100),
        _text("tag", 200),
        _text("content_md5", 40, nullable=True),
        _text("standard", 100, nullable=True),
        _moment("created_at"),
    ]


def _set_constraints(table: str) -> list[SchemaItem]:
    return [
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{table}")),
        sa.UniqueConstraint("category", "version", name=op.f(f"uq_{table}_category_version")),
        sa.UniqueConstraint("tag", name=op.f(f"uq_{table}_tag")),
    ]


def _text(name: str, max_characters: int, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String(max_characters), nullable=nullable)


def _moment(name: str) -> SchemaItem:
    kind = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql")
    return sa.Column(name, kind, nullable=False)


def _refers(
    table: str, column: str, to_table: str, ondelete: str | None = None
) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_{column}")
    return sa.ForeignKeyConstraint([column], [f"{to_table}.id"], name=name, ondelete=ondelete)


def _create(table: str, *items: SchemaItem, with_rowid: bool = True) -> None:
    op.create_table(
        table,
        *items,
        # MySQL commits each table by itself, so a killed upgrade leaves some of them.
        if_not_exists=True,
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        sqlite_with_rowid=with_rowid,
    )
