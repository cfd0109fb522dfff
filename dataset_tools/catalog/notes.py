"""Finding rows by name, and noting what is known of a run or a model."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TypeVar

from sqlalchemy import select
from sqlalchemy.orm import InstrumentedAttribute, Session

from dataset_tools.catalog.models import AnnotationSet, Model, Run, TrainingSet
from dataset_tools.catalog.rows import ModelRow, RunRow
from sub_module.errors import CatalogError

Row = TypeVar("Row", AnnotationSet, TrainingSet, Run, Model)


def required(
    session: Session, kind: type[Row], column: InstrumentedAttribute[str], name: str
) -> Row:
    """The row whose column is `name`.

    Raises:
        CatalogError: There is none; the message lists the newest that there are.
    """
    found = session.scalar(select(kind).where(column == name))
    if found is None:
        newest = session.scalars(select(column).order_by(kind.id.desc()).limit(5)).all()
        there = f"the newest are {', '.join(newest)}" if newest else "there is none at all"
        word = kind.__tablename__.replace("_", " ").removesuffix("s")
        raise CatalogError(f"the catalog has no {word} {name}; {there}")
    return found


def note_run(session: Session, run: RunRow) -> Run:
    """Insert or update; what is not said stays as it was."""
    noted = session.scalar(select(Run).filter_by(name=run.name)) or Run(name=run.name)
    noted.pipeline, noted.version, noted.state = run.pipeline, run.version, run.state
    _note_outcome(session, noted, run)
    return noted


def note_model(session: Session, model: ModelRow) -> Model:
    """Insert or update; what is not said stays as it was."""
    run = required(session, Run, Run.name, model.run)
    noted = session.scalar(select(Model).filter_by(path=model.path)) or Model(path=model.path)
    noted.run, noted.checkpoint_sha256 = run, model.checkpoint_sha256
    _note_outcome(session, noted, model)
    return noted


def _finite(metrics: Mapping[str, float]) -> dict[str, float | None]:
    """Figures as JSON can keep them."""
    return {key: value if math.isfinite(value) else None for key, value in metrics.items()}


def _note_outcome(session: Session, noted: Run | Model, row: RunRow | ModelRow) -> None:
    if row.training_tag is not None:
        noted.training_set = required(session, TrainingSet, TrainingSet.tag, row.training_tag)
    if row.metrics or noted.metrics is None:
        noted.metrics = _finite(row.metrics)
    session.add(noted)
    # A new row gets its id.
    session.flush()
