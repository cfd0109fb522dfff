"""Moving from the first system's tables, from MariaDB and from SQLite."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest
import typer
from sqlalchemy import Connection, select, text
from typer.testing import CliRunner

from commands.catalog import register
from dataset_tools.catalog import Catalog, open_catalog
from dataset_tools.catalog.connect import catalog_url, connect, for_writing
from dataset_tools.catalog.first_system import Imported, import_first_system
from dataset_tools.catalog.models import Annotation, Image
from sub_module.errors import CatalogError
from sub_module.settings import Settings
from tests.servers.mariadb import PASSWORD, MariaDB

COLUMNS = {
    "ann_data": ["json_name", "image_name", "category", "ann_version"],
    "image_data": ["dataset_purpose", "image_name", "record_file", "category", "train_version"],
    "train_data": ["dataset_purpose", "category", "record_file", "train_version"],
}
ROWS: dict[str, list[tuple[str, ...]]] = {
    "ann_data": [
        ("b.json", "b.jpg", "board", "v1"),
        ("a.json", "a.jpg", "board", "v1"),
        ("a.json", "a.jpg", "board", "v1"),
        ("가.json", "가.jpg", "board", "v2"),
        ("c.json", "c.jpg", "char", "v2"),
        ("d.json", "d.jpg", "board", "2021/03 final"),
    ],
    "image_data": [
        ("train", "a.jpg", "train.json", "board", "v1"),
        ("train", "b.jpg", "train.json", "board", "v1"),
        ("val", "c.jpg", "val.json", "board", "v1"),
        ("val", "a.jpg", "val.json", "board", "v1"),
    ],
    "train_data": [
        ("train", "board", "train.json", "v1"),
        ("val", "board", "val.json", "v1"),
        ("train", "board", "train.json", "v0"),
    ],
}
MOVED = [
    Imported("ann-first-2021-03-final", 1, 0, True),
    Imported("ann-first-v1", 2, 1, True),
    Imported("ann-first-board-v2", 1, 0, True),
    Imported("ann-first-char-v2", 1, 0, True),
    Imported("train-first-v0", 0, 0, True),
    Imported("train-first-v1", 3, 1, True),
]


@pytest.fixture
def source(settings: Settings) -> Settings:
    """A database as the first system left it; of the same kind as the catalog, and another one."""
    catalog_url(settings)
    fill(settings)
    return settings


@pytest.fixture
def empty(tmp_path: Path) -> Catalog:
    return open_catalog(Settings(home=tmp_path / "new"))


def fill(
    settings: Settings, tables: Iterable[str] = tuple(COLUMNS), gaps: str = "NOT NULL"
) -> None:
    with for_writing(connect(catalog_url(settings))).begin() as connection:
        number, charset = "INTEGER PRIMARY KEY", ""
        if settings.database_url:
            # An old Korean database: neither UTF-8 nor binary.
            number, charset = f"{number} AUTO_INCREMENT", "CHARACTER SET euckr"
        for table in tables:
            typed = ", ".join(f"{column} VARCHAR(255) {gaps}" for column in COLUMNS[table])
            connection.execute(text(f"CREATE TABLE {table} (id {number}, {typed}) {charset}"))
            insert(connection, table, ROWS[table])


def insert(connection: Connection, table: str, rows: Sequence[tuple[str, ...]]) -> None:
    columns = COLUMNS[table]
    names, values = ", ".join(columns), ", ".join(f":{column}" for column in columns)
    connection.execute(
        text(f"INSERT INTO {table} ({names}) VALUES ({values})"),
        [dict(zip(columns, row, strict=True)) for row in rows],
    )


def add(settings: Settings, table: str, *rows: tuple[str, ...]) -> None:
    with for_writing(connect(catalog_url(settings))).begin() as connection:
        insert(connection, table, rows)


def change(settings: Settings, statement: str) -> None:
    with for_writing(connect(catalog_url(settings))).begin() as connection:
        connection.execute(text(statement))


def by_tag(imported: list[Imported]) -> list[Imported]:
    return sorted(imported, key=lambda found: found.tag)


def test_every_version_is_moved(source: Settings, empty: Catalog) -> None:
    assert by_tag(import_first_system(empty, catalog_url(source))) == by_tag(MOVED)
    sets = {found.tag: found for found in empty.annotation_sets()}
    v1 = sets["ann-first-v1"]
    assert (v1.category, v1.version, v1.num_images) == ("board", "first-v1", 2)
    # What the first system did not know.
    assert (v1.content_md5, v1.num_plates, v1.class_counts, v1.standard) == (None, None, {}, None)
    with empty.transaction() as session:
        rows = session.execute(select(Annotation.image, Annotation.label_file)).all()
        images = session.execute(select(Image.image, Image.purpose, Image.record_file)).all()
    assert sorted(map(tuple, rows)) == [
        (f"{name}.jpg", f"{name}.json") for name in ("a", "b", "c", "d", "가")
    ]
    assert sorted(map(tuple, images)) == [
        ("a.jpg", "train", "train.json"),
        ("b.jpg", "train", "train.json"),
        ("c.jpg", "val", "val.json"),
    ]


def test_figures_of_a_training_set(source: Settings, empty: Catalog) -> None:
    import_first_system(empty, catalog_url(source))
    found = empty.training_set("train-first-v1")
    assert found is not None
    assert found.num_images == {"train": 2, "val": 1}
    assert found.split == {"train": pytest.approx(2 / 3), "val": pytest.approx(1 / 3)}
    assert found.annotation_tag is None


def test_moving_again_moves_what_is_new(source: Settings, empty: Catalog) -> None:
    import_first_system(empty, catalog_url(source))
    change(
        source,
        "INSERT INTO ann_data (json_name, image_name, category, ann_version) "
        "VALUES ('e.json', 'e.jpg', 'board', 'v3')",
    )
    again = import_first_system(empty, catalog_url(source))
    assert [found.tag for found in again if found.is_new] == ["ann-first-v3"]
    assert len(empty.annotation_sets()) == 5


def test_into_its_own_database(source: Settings) -> None:
    catalog = open_catalog(source)
    assert by_tag(import_first_system(catalog, catalog_url(source))) == by_tag(MOVED)


def test_without_a_prefix(source: Settings, empty: Catalog) -> None:
    imported = import_first_system(empty, catalog_url(source), prefix="")
    assert "ann-v1" in [found.tag for found in imported]


def test_empty_tables(source: Settings, empty: Catalog) -> None:
    for table in COLUMNS:
        change(source, f"DELETE FROM {table}")
    assert import_first_system(empty, catalog_url(source)) == []


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        (
            "UPDATE image_data SET dataset_purpose = 'spare' WHERE image_name = 'b.jpg'",
            r"^image_data: dataset_purpose of b.jpg is 'spare', none of train, val, test$",
        ),
        (
            "UPDATE ann_data SET ann_version = '2021 03/final' WHERE image_name = 'a.jpg'",
            r"two versions that would both become ann-first-2021-03-final$",
        ),
        ("DROP TABLE image_data", r"no database of the first system: it has no table image_data$"),
        ("ALTER TABLE train_data DROP COLUMN category", r"(?i)(unknown|no such) column"),
    ],
    ids=["purpose", "names", "table", "column"],
)
def test_what_cannot_be_moved_moves_nothing(
    source: Settings, empty: Catalog, statement: str, message: str
) -> None:
    change(source, statement)
    with pytest.raises(CatalogError, match=message):
        import_first_system(empty, catalog_url(source))
    assert empty.annotation_sets() == []
    assert empty.training_sets() == []


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        (
            "DELETE FROM ann_data WHERE image_name = 'b.jpg'",
            "ann-first-v1 is there, and the first system's differs from it in 1 image, such as "
            "b.jpg; give another prefix",
        ),
        (
            "UPDATE ann_data SET image_name = 'z.jpg' WHERE image_name = 'b.jpg'",
            "ann-first-v1 is there, and the first system's differs from it in 2 images, such as "
            "b.jpg; give another prefix",
        ),
        (
            "UPDATE ann_data SET json_name = 'z.json' WHERE image_name = 'b.jpg'",
            "ann-first-v1 is there, and the first system's differs from it in 1 image, such as "
            "b.jpg; give another prefix",
        ),
        (
            "UPDATE image_data SET dataset_purpose = 'val' WHERE image_name = 'b.jpg'",
            "train-first-v1 is there, and the first system's differs from it in 1 image, such as "
            "b.jpg; give another prefix",
        ),
        (
            "UPDATE ann_data SET category = 'char' WHERE ann_version = 'v1'",
            "ann-first-v1 is there, of board and not of char; give another prefix",
        ),
    ],
    ids=["shrank", "image", "label file", "purpose", "category"],
)
def test_a_version_that_changed_is_not_taken_for_the_same(
    source: Settings, empty: Catalog, statement: str, message: str
) -> None:
    import_first_system(empty, catalog_url(source))
    change(source, statement)
    with pytest.raises(CatalogError) as raised:
        import_first_system(empty, catalog_url(source))
    assert str(raised.value) == message


def test_names_are_compared_exactly(source: Settings, empty: Catalog) -> None:
    for table in COLUMNS:
        change(source, f"DELETE FROM {table}")
    counts = {("Board", "v1"): 1, ("board", "v1"): 2, ("board ", "v1"): 3, ("c", "v2"): 4,
              ("c", "V2"): 5, ("c", "v2 "): 6}  # fmt: skip
    named = [(f"{i}", *which) for which, number in counts.items() for i in range(number)]
    # Two images.
    files = [*named, ("A", "board", "v1"), ("a", "board", "v1")]
    add(source, "ann_data", *((f"{i}.json", f"{i}.jpg", *which) for i, *which in files))
    add(source, "image_data", *(("train", f"{i}.jpg", "t.json", *which) for i, *which in named))
    import_first_system(empty, catalog_url(source))
    found = {one.tag: (one.category, one.num_images) for one in empty.annotation_sets()}
    assert found == {
        "ann-first-Board-v1": ("Board", 1),
        "ann-first-board-v1": ("board", 4),
        "ann-first-board--v1": ("board ", 3),
        "ann-first-v2": ("c", 4),
        "ann-first-V2": ("c", 5),
        "ann-first-v2-": ("c", 6),
    }
    trained = {one.tag: one.num_images["train"] for one in empty.training_sets()}
    assert sorted(trained.values()) == [1, 2, 3, 4, 5, 6]
    assert trained["train-first-Board-v1"] == 1


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("ann_data", "ann_version", "NULL"),
        ("ann_data", "json_name", "NULL"),
        ("ann_data", "image_name", "''"),
        ("image_data", "category", "''"),
        ("image_data", "dataset_purpose", "NULL"),
        ("train_data", "train_version", "NULL"),
    ],
)
def test_a_row_that_says_nothing_is_refused(
    source: Settings, empty: Catalog, table: str, column: str, value: str
) -> None:
    change(source, f"DROP TABLE {table}")
    fill(source, [table], gaps="")
    change(source, f"UPDATE {table} SET {column} = {value} WHERE id = 2")
    with pytest.raises(CatalogError) as raised:
        import_first_system(empty, catalog_url(source))
    assert str(raised.value) == f"{table}: row 2 has no {column}"
    assert empty.annotation_sets() == []


def test_of_an_image_that_is_named_twice_the_first_row_counts(
    source: Settings, empty: Catalog
) -> None:
    images = [
        ("val", "d.jpg", "z.json", "board", "v1"),
        ("train", "d.jpg", "a.json", "board", "v1"),
    ]
    add(source, "image_data", *images)
    labels = [("z.json", "d.jpg", "board", "v1"), ("a.json", "d.jpg", "board", "v1")]
    add(source, "ann_data", *labels)
    import_first_system(empty, catalog_url(source), prefix="")
    with empty.transaction() as session:
        image = session.execute(
            select(Image.purpose, Image.record_file).where(Image.image == "d.jpg")
        ).one()
        files = session.scalars(
            select(Annotation.label_file).where(Annotation.image == "d.jpg")
        ).all()
    assert tuple(image) == ("val", "z.json")
    assert sorted(files) == ["d.json", "z.json"]


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path, empty: Catalog) -> None:
    settings = Settings(database_url=f"sqlite:///{tmp_path}/first.sqlite3")
    with pytest.raises(CatalogError, match=r"first\.sqlite3: there is no such file$"):
        import_first_system(empty, catalog_url(settings))
    assert not (tmp_path / "first.sqlite3").exists()


def test_the_command(mariadb: MariaDB, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(Settings(database_url=mariadb.url("first_system")))
    monkeypatch.setenv("PLATEFLOW_HOME", str(tmp_path))
    monkeypatch.setenv("PLATEFLOW_DATABASE_PASSWORD", PASSWORD)
    app = typer.Typer()
    register(app)
    # A Typer of one command would have no names of commands.
    app.command("other")(lambda: None)
    command = ["import-first-system", "--from", mariadb.url("first_system", with_password=False)]
    first = CliRunner().invoke(app, command, catch_exceptions=False)
    assert first.exit_code == 0
    assert "train-first-v1           3       1                       yes\n" in first.output
    assert "6 of 6 sets are new" in first.output
    again = CliRunner().invoke(app, command, catch_exceptions=False)
    assert "0 of 6 sets are new" in again.output
