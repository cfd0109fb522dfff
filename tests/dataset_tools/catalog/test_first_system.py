"""Moving from the first system's tables, from MariaDB and from SQLite."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
from sqlalchemy import select, text
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
ROWS = {
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


def fill(settings: Settings) -> None:
    with for_writing(connect(catalog_url(settings))).begin() as connection:
        number, charset = "INTEGER PRIMARY KEY", ""
        if settings.database_url:
            # An old Korean database: neither UTF-8 nor binary.
            number, charset = f"{number} AUTO_INCREMENT", "CHARACTER SET euckr"
        for table, columns in COLUMNS.items():
            typed = ", ".join(f"{column} VARCHAR(255) NOT NULL" for column in columns)
            connection.execute(text(f"CREATE TABLE {table} (id {number}, {typed}) {charset}"))
            names, values = ", ".join(columns), ", ".join(f":{column}" for column in columns)
            for row in ROWS[table]:
                connection.execute(
                    text(f"INSERT INTO {table} ({names}) VALUES ({values})"),
                    dict(zip(columns, row, strict=True)),
                )


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


def test_a_version_that_grew_is_not_mixed(source: Settings, empty: Catalog) -> None:
    import_first_system(empty, catalog_url(source))
    change(source, "DELETE FROM ann_data WHERE image_name = 'b.jpg'")
    with pytest.raises(
        CatalogError, match=r"^ann-first-v1 is there with 2 images, the first system has 1; give"
    ):
        import_first_system(empty, catalog_url(source))


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
