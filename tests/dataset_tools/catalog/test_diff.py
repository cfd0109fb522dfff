"""What differs between two annotation sets, on MariaDB and on SQLite."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dataset_tools.catalog import AnnotationRow, Catalog, Changes
from sub_module.errors import CatalogError
from tests.dataset_tools.catalog.sets import add_set, row

NOTHING = Changes((), (), ())
UNKNOWN = {"image_md5": None, "label_md5": None}


@pytest.mark.parametrize(
    ("old", "new", "images", "labels"),
    [
        pytest.param([], [], NOTHING, NOTHING, id="both empty"),
        pytest.param(
            [row("a.jpg"), row("b.jpg")],
            [row("b.jpg"), row("a.jpg")],
            NOTHING,
            NOTHING,
            id="the same in another order",
        ),
        pytest.param(
            [row("b.jpg"), row("a.jpg")],
            [row("d.jpg"), row("c.jpg"), row("a.jpg")],
            Changes(("c.jpg", "d.jpg"), (), ("b.jpg",)),
            Changes(("c.json", "d.json"), (), ("b.json",)),
            id="added and removed",
        ),
        pytest.param(
            [row("a.jpg"), row("b.jpg"), row("c.jpg")],
            [row("a.jpg", content="2"), row("b.jpg", label="2"), row("c.jpg")],
            Changes((), ("a.jpg",), ()),
            Changes((), ("b.json",), ()),
            id="an image changed, a label of another",
        ),
        pytest.param(
            [row("a.jpg")],
            [row("A.jpg")],
            Changes(("A.jpg",), (), ("a.jpg",)),
            Changes(("A.json",), (), ("a.json",)),
            id="names that differ in case only",
        ),
        pytest.param(
            [row("차량🚗.jpg")],
            [row("차량🚙.jpg")],
            Changes(("차량🚙.jpg",), (), ("차량🚗.jpg",)),
            Changes(("차량🚙.json",), (), ("차량🚗.json",)),
            id="Korean names that differ in an emoji only",
        ),
        pytest.param(
            [row("a.jpg")],
            [replace(row("b.jpg", label="2"), label_file="a.json")],
            Changes(("b.jpg",), (), ("a.jpg",)),
            Changes((), ("a.json",), ()),
            id="a label file that names another image",
        ),
        pytest.param(
            [row("a.jpg")],
            [replace(row("a.jpg"), label_file="b.json")],
            NOTHING,
            Changes(("b.json",), (), ("a.json",)),
            id="a label file of another name",
        ),
        pytest.param(
            [replace(row("a.jpg"), **UNKNOWN), row("b.jpg"), row("c.jpg")],
            [row("a.jpg"), replace(row("b.jpg"), **UNKNOWN)],
            Changes((), (), ("c.jpg",)),
            Changes((), (), ("c.json",)),
            id="checksums that nobody knows",
        ),
    ],
)
def test_differences(
    catalog: Catalog,
    old: list[AnnotationRow],
    new: list[AnnotationRow],
    images: Changes,
    labels: Changes,
) -> None:
    add_set(catalog, "v1", old)
    add_set(catalog, "v2", new)
    # Neighbours in the same tables do not count.
    add_set(catalog, "v3", [row("a.jpg", "3", "3"), row("z.jpg")])
    found = catalog.diff("ann-v1", "ann-v2")
    assert (found.images, found.labels) == (images, labels)
    back = catalog.diff("ann-v2", "ann-v1")
    assert (back.images.added, back.images.removed) == (images.removed, images.added)


def test_classes_side_by_side(catalog: Catalog) -> None:
    add_set(catalog, "v1", [], class_counts={"a": 3, "r_board": 2})
    add_set(catalog, "v2", [], class_counts={"a": 4, "l_board": 1})
    found = catalog.diff("ann-v1", "ann-v2").class_counts
    assert found == {"a": (3, 4), "l_board": (0, 1), "r_board": (2, 0)}


def test_an_unknown_tag_names_those_that_are_there(catalog: Catalog) -> None:
    with pytest.raises(CatalogError, match=r"no annotation set ann-v1; there is none at all$"):
        catalog.diff("ann-v1", "ann-v2")
    add_set(catalog, "v1", [])
    with pytest.raises(CatalogError, match=r"no annotation set ann-v2; the newest are ann-v1$"):
        catalog.diff("ann-v1", "ann-v2")
