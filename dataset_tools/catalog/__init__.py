"""The catalog: a database of which image is in which set, and which model came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dataset_tools.catalog.rows import (
    AnnotationRow,
    Changes,
    Conflict,
    ImageRow,
    ModelRow,
    NewAnnotationSet,
    NewTrainingSet,
    Purpose,
    RunRow,
    SetDiff,
)

if TYPE_CHECKING:
    from dataset_tools.catalog.catalog import Catalog, open_catalog
    from dataset_tools.catalog.models import AnnotationSet, Model, Run, TrainingSet

__all__ = [
    "AnnotationRow",
    "AnnotationSet",
    "Catalog",
    "Changes",
    "Conflict",
    "ImageRow",
    "Model",
    "ModelRow",
    "NewAnnotationSet",
    "NewTrainingSet",
    "Purpose",
    "Run",
    "RunRow",
    "SetDiff",
    "TrainingSet",
    "open_catalog",
]

_OF_MODELS = {"AnnotationSet", "Model", "Run", "TrainingSet"}


def __getattr__(name: str) -> Any:
    # SQLAlchemy takes a second and a half to import; code that only makes rows does not wait.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from dataset_tools.catalog import catalog, models

    return getattr(models if name in _OF_MODELS else catalog, name)
