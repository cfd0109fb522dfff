"""Versions in one home: added, pulled, listed, compared."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import text as sql

from dataset_tools.catalog import open_catalog
from dataset_tools.record import record
from dataset_tools.versions import DataSets, Kind, Noted
from sub_module.errors import CatalogError, DataError, StoreError
from sub_module.settings import Settings
from tests.dataset_tools.versions.sets import (
    STANDARD,
    add,
    files,
    leftovers,
    noted,
    small_set,
    stored,
    tags,
)


def test_what_is_pulled_is_what_was_added(settings: Settings, tmp_path: Path) -> None:
    DataSets(settings).pull("v1", tmp_path / "out")
    assert files(tmp_path / "out") == files(tmp_path / "set1")
    assert leftovers(settings) == []
    # Its own copies: the cache does not change with them.
    edited = tmp_path / "out" / "000000.json"
    edited.write_text("edited")
    DataSets(settings).pull("ann-v1", tmp_path / "again")
    assert files(tmp_path / "again") == files(tmp_path / "set1")


def test_a_read_only_pull_takes_no_room(settings: Settings, tmp_path: Path) -> None:
    DataSets(settings).pull("v1", tmp_path / "out", editable=False)
    assert files(tmp_path / "out") == files(tmp_path / "set1")
    for path in (tmp_path / "out").iterdir():
        assert path.stat().st_nlink > 1
        assert path.stat().st_mode & 0o222 == 0


def test_a_set_that_is_there_is_not_added_again(settings: Settings, tmp_path: Path) -> None:
    before = subprocess.check_output(["git", "-C", settings.home / "datasets.git", "show-ref"])
    for name in ("v1", None):
        published = add(settings, tmp_path / "set1", name)
        assert (published.tag, published.is_new) == ("ann-v1", False)
    after = subprocess.check_output(["git", "-C", settings.home / "datasets.git", "show-ref"])
    assert after == before


def test_other_files_never_replace_a_version(settings: Settings, tmp_path: Path) -> None:
    small_set(tmp_path / "set1", seed=9)
    with pytest.raises(DataError, match=r"^ann-v1 is there already, with other files; "):
        add(settings, tmp_path / "set1", "v1")
    with pytest.raises(DataError, match=r"^ann-v1 is there already, of the category board; "):
        DataSets(settings).add(tmp_path / "set1", "other", "v1", STANDARD)
    assert tags(settings) == noted(settings) == ["ann-v1", "ann-v2"]
    assert leftovers(settings) == []


def test_two_versions_are_compared(settings: Settings) -> None:
    old, new, diff = DataSets(settings).diff("v1", "ann-v2")
    assert (old, new) == ("ann-v1", "ann-v2")
    assert diff.images.added == ("new.jpg",)
    assert diff.images.changed == ()
    assert diff.images.removed == ("000002.jpg",)
    assert diff.labels.added == ("new.json",)
    assert diff.labels.changed == ("000000.json",)
    assert diff.labels.removed == ("000002.json",)
    assert sum(before for before, _ in diff.class_counts.values()) > 0
    assert all(before == after for before, after in diff.class_counts.values())


def test_versions_are_listed_with_what_the_catalog_knows(
    settings: Settings, tmp_path: Path
) -> None:
    listed = DataSets(settings).listed()
    assert [(each.version.tag, each.noted) for each in listed] == [
        ("ann-v1", Noted.YES),
        ("ann-v2", Noted.YES),
    ]
    for each, name in zip(listed, ("set1", "set2"), strict=True):
        sizes = [path.stat().st_size for path in (tmp_path / name).iterdir()]
        assert (each.version.num_files, each.version.size_bytes) == (len(sizes), sum(sizes))


def test_a_catalog_that_lacks_a_version_is_said_and_filled_in(
    settings: Settings, tmp_path: Path
) -> None:
    for path in settings.home.glob("catalog.sqlite3*"):
        path.unlink()
    data_sets = DataSets(settings)
    assert [each.noted for each in data_sets.listed()] == [Noted.MISSING, Noted.MISSING]
    with pytest.raises(CatalogError, match=r"lacks ann-v1; to fill it in: `dataset pull ann-v1"):
        data_sets.diff("v1", "v1")
    published = add(settings, tmp_path / "set1", "v1")
    assert not published.is_new
    assert noted(settings) == ["ann-v1"]
    assert [each.noted for each in data_sets.listed()] == [Noted.YES, Noted.MISSING]


def test_a_catalog_with_another_set_of_that_tag(settings: Settings, tmp_path: Path) -> None:
    """One database behind two data set repositories."""
    other = Settings(
        home=tmp_path / "other", database_url=f"sqlite:///{settings.home}/catalog.sqlite3"
    )
    small_set(tmp_path / "set1", seed=9)
    with pytest.raises(CatalogError, match=r"other files under ann-v1, of another data set"):
        add(other, tmp_path / "set1", "v1")
    assert tags(other) == []
    assert add(other, tmp_path / "set1", None).tag == "ann-v3"
    assert tags(other) == ["ann-v3"]
    assert noted(other) == ["ann-v1", "ann-v2", "ann-v3"]


def test_a_training_set_knows_its_annotation_set(settings: Settings, tmp_path: Path) -> None:
    split = {"train": 0.4, "val": 0.3, "test": 0.3}
    directory = small_set(tmp_path / "set3", 12)
    add(settings, directory, "v3")
    record(directory, tmp_path / "recorded", STANDARD, {"split": split})
    data_sets = DataSets(settings)
    for is_new in (True, False):
        added = data_sets.add_training(
            tmp_path / "recorded", "board", None, "ann-v3", STANDARD, split
        )
        assert (added.tag, added.is_new) == ("train-v1", is_new)
    data_sets.pull("train-v1", tmp_path / "out")
    assert files(tmp_path / "out") == files(tmp_path / "recorded")
    catalog = open_catalog(settings)
    noted_set = catalog.training_set("train-v1")
    assert noted_set is not None
    assert noted_set.annotation_tag == "ann-v3"
    assert sum(noted_set.num_images.values()) == 12
    with catalog.transaction() as session:
        rows = session.execute(sql("SELECT image, purpose, annotation_image FROM images")).all()
    assert {row.annotation_image for row in rows} == {f"{i:06d}.jpg" for i in range(12)}
    for row in rows:
        assert row.image == f"images/{row.purpose}/{row.annotation_image}"
    assert [v.kind for v in data_sets.versions()][-1] is Kind.TRAINING
    with pytest.raises(DataError, match=r"train-v1 is a training set; only annotation sets"):
        data_sets.diff("v1", "train-v1")


@pytest.mark.parametrize(
    ("name", "tag"), [("v1", "ann-v1"), ("ann-v1", "ann-v1")], ids=["version", "tag"]
)
def test_a_version_is_found_by(name: str, tag: str, settings: Settings) -> None:
    assert DataSets(settings).find(name).tag == tag


def test_a_version_that_is_not_there(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"^no version 'v7' in the data set repository; there is ann-v1, ann-v2$"
    ):
        DataSets(settings).pull("v7", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    empty = DataSets(Settings(home=tmp_path / "empty"))
    assert empty.versions() == []
    with pytest.raises(DataError, match=r"there is none at all"):
        empty.find("v1")


def test_pull_leaves_what_is_there_alone(settings: Settings, tmp_path: Path) -> None:
    before = files(tmp_path / "set1")
    with pytest.raises(DataError, match=r"already exists and is not empty"):
        DataSets(settings).pull("v1", tmp_path / "set1")
    assert files(tmp_path / "set1") == before


def test_a_label_that_cannot_be_refuses_the_set(tmp_path: Path) -> None:
    directory = small_set(tmp_path / "set1")
    label_file = directory / "000001.json"
    bad = json.loads(label_file.read_text())
    bad["shapes"][0]["label"] = "qq"
    label_file.write_text(json.dumps(bad))
    settings = Settings(home=tmp_path / "home")
    with pytest.raises(DataError, match=r"set1/000001.json: shape 0: unknown label 'qq'$"):
        add(settings, directory)
    assert tags(settings) == noted(settings) == []
    assert stored(settings) == {}
    # One that no person has looked at does not count either.
    unreviewed = directory / "000002.json"
    text = json.loads(unreviewed.read_text())
    unreviewed.write_text(json.dumps({**text, "flags": {"reviewed": False}}))
    published = DataSets(settings).add(directory, "board", "v1", STANDARD, skip_rejected=True)
    DataSets(settings).pull(published.tag, tmp_path / "out")
    assert set(files(tmp_path / "out")) == {"000000.json", "000000.jpg"}


def test_labels_that_nobody_reviewed(tmp_path: Path) -> None:
    directory = small_set(tmp_path / "set1", 1)
    label_file = directory / "000000.json"
    text = json.loads(label_file.read_text())
    label_file.write_text(json.dumps({**text, "flags": {"reviewed": False}}))
    settings = Settings(home=tmp_path / "home")
    with pytest.raises(DataError, match=r"set1/000000.json: no person has reviewed it yet"):
        add(settings, directory)
    # What a git leaves that is killed while it takes a push; the lock's owner is long dead.
    DataSets(settings).versions()
    lock = settings.home / "datasets.git" / "refs" / "heads" / "main.lock"
    lock.touch()
    os.utime(lock, (0, 0))
    DataSets(settings).add(directory, "board", "v1", STANDARD, allow_unreviewed=True)
    assert tags(settings) == ["ann-v1"]


def test_odd_paths_and_names(tmp_path: Path) -> None:
    root = tmp_path / "a #b, 한글's 50%"
    directory = small_set(root / "set")
    (directory / "sub dir #1").mkdir()
    # Names that differ in case only, one in another alphabet, and what does not belong to the set.
    for old, new in (("000000", "A"), ("000001", "a"), ("000002", "sub dir #1/한글, 2")):
        (directory / f"{old}.jpg").rename(directory / f"{new}.jpg")
        text = (directory / f"{old}.json").read_text()
        (directory / f"{new}.json").write_text(text.replace(old, Path(new).name))
        (directory / f"{old}.json").unlink()
    wanted = files(directory)
    (directory / ".hidden.json").write_text("no label file")
    settings = Settings(home=root / "home")
    add(settings, directory)
    assert noted(settings) == ["ann-v1"]
    shutil.rmtree(settings.home / "versions" / "cache")
    out = root / "out, #2"
    out.mkdir()
    DataSets(settings).pull("v1", out)
    assert files(out) == wanted


@pytest.mark.parametrize("name", ["", "-v", "a b", "a/b", "a..b", "a.lock", "a.", "v" * 65, "vä"])
def test_no_name_of_a_version(name: str, tmp_path: Path) -> None:
    small_set(tmp_path / "set1")
    settings = Settings(home=tmp_path / "home")
    with pytest.raises(DataError, match=r"^version .* is no name: .* letters, digits"):
        add(settings, tmp_path / "set1", name)
    with pytest.raises(DataError, match=r"^category .* is no name: .* letters, digits"):
        DataSets(settings).add(tmp_path / "set1", name, "v1", STANDARD)


@pytest.mark.parametrize(
    "url",
    [
        "file://user:secret@{}/nowhere",
        "https://user:secret@localhost:1/nowhere.git",
        "https://user:p@secret@localhost:1/nowhere.git",
        "https://user:p/secret@localhost:1/nowhere.git",
    ],
    ids=["file", "token", "at sign", "slash"],
)
def test_a_data_set_repository_that_cannot_be_reached(url: str, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home", datasets=url.format(tmp_path))
    with pytest.raises(DataError, match=r"^data set repository .*nowhere") as caught:
        DataSets(settings).versions()
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert leftovers(settings) == []


def test_a_data_set_repository_given_as_a_relative_path(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    elsewhere = Settings(home=tmp_path / "elsewhere", datasets="home/datasets.git")
    assert [version.tag for version in DataSets(elsewhere).versions()] == ["ann-v1", "ann-v2"]


def test_a_colleague_with_plain_git_and_dvc(settings: Settings, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    git = ["git", "-c", "advice.detachedHead=false"]
    subprocess.run(
        [*git, "clone", "-q", "-b", "ann-v1", settings.home / "datasets.git", clone], check=True
    )
    # The fixture's home has moved since it was made; the store's place is in the repository.
    config = clone / ".dvc" / "config"
    assert "/store/dvc" in config.read_text()
    subprocess.run(
        [sys.executable, "-P", "-m", "dvc", "pull", "-q"],
        cwd=clone,
        check=True,
        env={
            "PATH": "/usr/bin:/bin",
            "DVC_NO_ANALYTICS": "1",
            "HOME": str(tmp_path),
            "DVC_SITE_CACHE_DIR": str(tmp_path / "site"),
        },
    )
    assert files(clone / "annotations" / "board") == files(tmp_path / "set1")


def test_a_store_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    settings = Settings(home=tmp_path / "home", store=f"file://{tmp_path}/file")
    with pytest.raises(StoreError) as caught:
        add(settings, small_set(tmp_path / "set1"))
    assert "\n" not in str(caught.value)
    assert tags(settings) == noted(settings) == []
    assert leftovers(settings) == []
