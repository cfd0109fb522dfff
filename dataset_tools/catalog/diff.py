"""What differs between two annotation sets; the database compares."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Row, Select, and_, or_, select
from sqlalchemy.orm import Session, aliased

from dataset_tools.catalog.models import Annotation, AnnotationSet
from dataset_tools.catalog.rows import Changes, SetDiff


def diff_sets(session: Session, old: AnnotationSet, new: AnnotationSet) -> SetDiff:
    """How `new` differs from `old`; only rows that differ leave the database."""
    added = session.execute(_only_in(new, old)).all()
    removed = session.execute(_only_in(old, new)).all()
    both = session.execute(_differing(old, new)).all()
    images = _changes(
        {row.image: row.image_md5 for row in added},
        {row.image: row.image_md5 for row in removed},
        (row.image for row in both if _differ(row.image_md5, row.old_image_md5)),
    )
    return SetDiff(images, _label_changes(added, removed, both), _counts(old, new))


def _label_changes(
    added: Iterable[Row[Any]], removed: Iterable[Row[Any]], both: Iterable[Row[Any]]
) -> Changes:
    # An image may have got another label file, and a label file another image.
    of_new = {row.label_file: row.label_md5 for row in added}
    of_old = {row.label_file: row.label_md5 for row in removed}
    changed = []
    for row in both:
        if row.label_file != row.old_label_file:
            of_new[row.label_file] = row.label_md5
            of_old[row.old_label_file] = row.old_label_md5
        elif _differ(row.label_md5, row.old_label_md5):
            changed.append(row.label_file)
    return _changes(of_new, of_old, changed)


def _changes(
    of_new: Mapping[str, str | None], of_old: Mapping[str, str | None], changed: Iterable[str]
) -> Changes:
    moved = {name for name in of_new.keys() & of_old.keys() if _differ(of_new[name], of_old[name])}
    return Changes(
        added=tuple(sorted(of_new.keys() - of_old.keys())),
        changed=tuple(sorted(moved.union(changed))),
        removed=tuple(sorted(of_old.keys() - of_new.keys())),
    )


def _differ(one: str | None, other: str | None) -> bool:
    """Whether two checksums are known, and not the same."""
    return None not in (one, other) and one != other


def _counts(old: AnnotationSet, new: AnnotationSet) -> dict[str, tuple[int, int]]:
    before, after = old.class_counts, new.class_counts
    labels = sorted(before.keys() | after.keys())
    return {label: (before.get(label, 0), after.get(label, 0)) for label in labels}


def _only_in(one: AnnotationSet, other: AnnotationSet) -> Select[*tuple[Any, ...]]:
    here, there = aliased(Annotation), aliased(Annotation)
    return (
        select(here.image, here.image_md5, here.label_file, here.label_md5)
        .outerjoin(there, and_(there.annotation_set_id == other.id, there.image == here.image))
        .where(here.annotation_set_id == one.id, there.image.is_(None))
    )


def _differing(old: AnnotationSet, new: AnnotationSet) -> Select[*tuple[Any, ...]]:
    here, there = aliased(Annotation), aliased(Annotation)
    return (
        select(
            here.image,
            here.image_md5,
            here.label_file,
            here.label_md5,
            there.image_md5.label("old_image_md5"),
            there.label_file.label("old_label_file"),
            there.label_md5.label("old_label_md5"),
        )
        .join(there, and_(there.annotation_set_id == old.id, there.image == here.image))
        .where(
            here.annotation_set_id == new.id,
            or_(
                here.image_md5 != there.image_md5,
                here.label_md5 != there.label_md5,
                here.label_file != there.label_file,
            ),
        )
    )
