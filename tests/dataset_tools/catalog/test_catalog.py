"""Sets, runs and models in a catalog, on MariaDB and on SQLite."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import delete, func, select

from dataset_tools.catalog import (
    AnnotationRow,
    Catalog,
    Conflict,
    ImageRow,
    NewTrainingSet,
    open_catalog,
)
from dataset_tools.catalog.models import Annotation, AnnotationSet, Image, TrainingSet
from sub_module.errors import CatalogError
from sub_module.settings import Settings
from tests.dataset_tools.catalog.sets import add_set, add_training_set, new_set, row

# Each differs from another only in what careless databases overlook.
NAMES = [
    "A.jpg",
    "a.jpg",
    "é.jpg",
    "e\u0301.jpg",
    "차량/가나다.jpg",
    "🚗.jpg",
    "🚙.jpg",
    "ß.jpg",
    "ss.jpg",
]


def test_an_empty_catalog_has_nothing(catalog: Catalog) -> None:
    assert catalog.annotation_sets() == []
    assert catalog.training_sets() == []
    assert catalog.runs() == []
    assert catalog.models() == []
    assert catalog.annotation_set("ann-v1") is None
    assert catalog.training_set("train-v1") is None


def test_a_set_comes_out_as_it_went_in(catalog: Catalog, settings: Settings) -> None:
    add_set(catalog, "v1", [row("a.jpg"), row("b.jpg")])
    found = open_catalog(settings).annotation_set("ann-v1")
    assert found is not None
    expected = vars(new_set("v1", 2))
    assert {name: getattr(found, name) for name in expected} == expected
    assert abs(datetime.now(UTC) - found.created_at) < timedelta(minutes=1)
    assert [s.tag for s in catalog.annotation_sets()] == ["ann-v1"]


def test_an_empty_set_is_a_set(catalog: Catalog) -> None:
    add_set(catalog, "v1", [])
    found = catalog.annotation_set("ann-v1")
    assert found is not None
    assert found.num_images == 0


def test_names_differ_as_on_the_disk(catalog: Catalog) -> None:
    add_set(catalog, "v1", map(row, NAMES), category="번호판 🚗")
    with catalog.transaction() as session:
        kept = session.scalars(select(Annotation.image)).all()
        assert session.scalar(select(Annotation.image).filter_by(image="A.jpg")) == "A.jpg"
    assert sorted(kept) == sorted(NAMES)
    assert catalog.annotation_sets()[0].category == "번호판 🚗"
    add_set(catalog, "V1", [], category="번호판 🚗")


def test_a_name_that_is_no_text_is_refused(catalog: Catalog) -> None:
    with pytest.raises(CatalogError, match=r"a name is no text: .*udc80"):
        add_set(catalog, "v1", [row("a.jpg"), row("\udc80.jpg")])
    assert catalog.annotation_sets() == []


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"tag": "ann-other"}, id="the same version of the category"),
        pytest.param({"category": "other"}, id="the same tag"),
    ],
)
def test_what_is_there_is_not_added_again(catalog: Catalog, changes: dict[str, str]) -> None:
    add_set(catalog, "v1", [row("a.jpg")])
    with pytest.raises(Conflict, match=r"is there already"):
        add_set(catalog, "v1", [row("b.jpg"), row("c.jpg")], **changes)
    with catalog.transaction() as session:
        assert session.scalars(select(Annotation.image)).all() == ["a.jpg"]


def test_an_image_named_twice_is_no_conflict_of_versions(catalog: Catalog) -> None:
    with pytest.raises(CatalogError, match=r"^an image is named twice: ") as caught:
        add_set(catalog, "v1", [row("a.jpg"), row("a.jpg")])
    assert not isinstance(caught.value, Conflict)
    assert catalog.annotation_sets() == []


def test_of_two_adds_at_once_one_wins(settings: Settings) -> None:
    outcomes: list[str] = []
    barrier = threading.Barrier(2)

    def add(name: str) -> None:
        catalog = open_catalog(settings)
        rows = [row(f"{name}{i}.jpg") for i in range(2000)]
        barrier.wait()
        try:
            add_set(catalog, "v1", rows)
            outcomes.append(name)
        except Conflict:
            outcomes.append("conflict")

    threads = [threading.Thread(target=add, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    [winner] = set(outcomes) - {"conflict"}
    assert sorted(outcomes) == sorted([winner, "conflict"])
    with open_catalog(settings).transaction() as session:
        images = session.scalars(select(Annotation.image)).all()
    assert len(images) == 2000
    assert {image[0] for image in images} == {winner}


def test_an_exception_undoes_the_transaction(catalog: Catalog) -> None:
    def fail() -> None:
        raise KeyError("push failed")

    with pytest.raises(KeyError, match="push failed"):
        add_set(catalog, "v1", [row("a.jpg")], then=fail)
    assert catalog.annotation_sets() == []


def test_figures_and_rows_agree(catalog: Catalog) -> None:
    with pytest.raises(CatalogError, match=r"ann-v1 is to have 2 images, not 1$"):
        add_set(catalog, "v1", [row("a.jpg")], num_images=2)
    assert catalog.annotation_sets() == []


def test_rows_are_not_kept_in_memory(catalog: Catalog) -> None:
    kept_at_the_end: list[bool] = []

    def rows() -> Iterator[AnnotationRow]:
        first = row("first.jpg")
        alive = weakref.ref(first)
        yield first
        del first
        for i in range(15_000):
            yield row(f"{i:06d}.jpg")
        kept_at_the_end.append(alive() is not None)

    with catalog.transaction() as session:
        catalog.add_annotation_set(session, new_set("v1", 15_001), rows())
    assert kept_at_the_end == [False]


def test_rows_go_with_their_set(catalog: Catalog) -> None:
    add_set(catalog, "v1", [row("a.jpg")])
    add_set(catalog, "v2", [row("b.jpg")])
    add_training_set(catalog, "v1", "ann-v2")
    with catalog.transaction() as session:
        session.execute(delete(AnnotationSet).filter_by(tag="ann-v1"))
    with catalog.transaction() as session:
        assert session.scalars(select(Annotation.image)).all() == ["b.jpg"]
        session.execute(delete(TrainingSet))
        assert session.scalar(select(func.count()).select_from(Image)) == 0


def test_what_a_training_set_was_made_of_stays(catalog: Catalog) -> None:
    add_set(catalog, "v1", [row("a.jpg")])
    add_training_set(catalog, "v1", "ann-v1")
    with pytest.raises(CatalogError, match=r"(?i)foreign key"), catalog.transaction() as session:
        session.execute(delete(AnnotationSet))
    assert [s.tag for s in catalog.annotation_sets()] == ["ann-v1"]


def test_a_training_set_knows_its_annotation_set(catalog: Catalog) -> None:
    add_set(catalog, "v1", [row("a.jpg")])
    add_training_set(catalog, "v1", "ann-v1")
    add_training_set(catalog, "v2", None)
    first, second = catalog.training_sets()
    assert (first.tag, first.annotation_tag) == ("train-v1", "ann-v1")
    assert (second.tag, second.annotation_tag) == ("train-v2", None)
    assert first.split == {"train": 0.8, "val": 0.1, "test": 0.1}
    assert first.num_images == {"train": 1, "val": 1, "test": 1}
    with catalog.transaction() as session:
        purposes = session.execute(
            select(Image.image, Image.purpose, Image.record_file, Image.annotation_image).where(
                Image.training_set_id == first.id
            )
        ).all()
    assert sorted(map(tuple, purposes)) == [
        (f"{name}.jpg", name, f"{name}.json", f"{name}.jpg") for name in ("test", "train", "val")
    ]


def test_a_training_set_of_an_unknown_annotation_set_is_refused(catalog: Catalog) -> None:
    add_set(catalog, "v1", [])
    with pytest.raises(CatalogError, match=r"no annotation set ann-v9; the newest are ann-v1$"):
        add_training_set(catalog, "v1", "ann-v9")
    assert catalog.training_sets() == []


def test_an_impossible_purpose_is_refused(catalog: Catalog) -> None:
    new = NewTrainingSet("c", "v1", "train-v1", None, None, {}, {"train": 1}, None)
    with pytest.raises(CatalogError, match=r"purpose"), catalog.transaction() as session:
        catalog.add_training_set(session, new, [ImageRow("a.jpg", "spare", "a.json", None)])
    assert catalog.training_sets() == []
