"""A repository, a store and a catalog in which others have written too."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from dataset_tools.catalog import NewAnnotationSet, open_catalog
from dataset_tools.versions import DataSets
from dataset_tools.versions.dvc import committed_files, committed_url
from sub_module.errors import CatalogError, DataError
from sub_module.settings import Settings
from tests.dataset_tools.versions.sets import STANDARD, add, files, noted, small_set, stored, tags


def _git(folder: Path, *arguments: str | Path) -> str:
    who = ("-c", "user.name=Kim", "-c", "user.email=kim@localhost")
    command = ["git", "-C", str(folder), *who, *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _config(settings: Settings, branch: str = "HEAD") -> str:
    origin = settings.datasets or settings.home / "datasets.git"
    return _git(Path(origin), "show", f"{branch}:.dvc/config")


def _tag_by_hand(settings: Settings, tag: str) -> None:
    _git(settings.home / "datasets.git", "tag", tag, "main")


@pytest.fixture
def strange(settings: Settings, tmp_path: Path) -> Settings:
    """A repository with its own ann-v1 and ann-v2 before a catalog with others."""
    theirs = Settings(home=tmp_path / "theirs")
    for seed, version in ((5, "v1"), (6, "v2")):
        add(theirs, small_set(tmp_path / f"set{seed}", 1, seed=seed), version)
    database = f"sqlite:///{settings.home}/catalog.sqlite3"
    return Settings(home=theirs.home, database_url=database)


def test_a_training_set_is_not_linked_to_anothers_annotations(
    strange: Settings, tmp_path: Path
) -> None:
    with pytest.raises(
        CatalogError, match=r"other files under ann-v1, of another data set"
    ) as caught:
        DataSets(strange).add_training(tmp_path, "board", None, "ann-v1", STANDARD, {})
    assert "\n" not in str(caught.value)
    assert open_catalog(strange).training_sets() == []


def test_sets_of_another_repository_are_not_compared(strange: Settings) -> None:
    with pytest.raises(CatalogError, match=r"other files under ann-v1, of another data set"):
        DataSets(strange).diff("v1", "v2")


def test_sets_that_are_no_versions_are_compared(settings: Settings) -> None:
    """As those of the first system, of which nobody knows a checksum."""
    catalog = open_catalog(settings)
    for version in ("old1", "old2"):
        with catalog.transaction() as session:
            new = NewAnnotationSet(
                category="board",
                version=version,
                tag=f"ann-{version}",
                content_md5=None,
                num_images=0,
                num_plates=None,
                class_counts={},
                standard=None,
            )
            catalog.add_annotation_set(session, new, [])
    assert DataSets(settings).diff("old1", "old2")[:2] == ("ann-old1", "ann-old2")


def test_a_tag_made_by_hand_is_said_and_stepped_over(settings: Settings, tmp_path: Path) -> None:
    _tag_by_hand(settings, "ann-v3")
    directory, before = small_set(tmp_path / "set3", 1, seed=3), stored(settings)
    with pytest.raises(DataError, match=r"has a tag ann-v3 that is none of Plateflow's") as caught:
        add(settings, directory, "v3")
    assert "\n" not in str(caught.value)
    assert stored(settings) == before
    assert add(settings, directory, None).tag == "ann-v4"
    assert noted(settings) == ["ann-v1", "ann-v2", "ann-v4"]


def test_a_tag_made_by_hand_meanwhile_is_said(settings: Settings, tmp_path: Path) -> None:
    def progress(done: int, total: int, text: str = "") -> None:
        if text == "publishing":
            _tag_by_hand(settings, "ann-v3")

    directory = small_set(tmp_path / "set3", 1, seed=3)
    with pytest.raises(DataError, match=r"has a tag ann-v3 that is none of Plateflow's"):
        DataSets(settings).add(directory, "board", "v3", STANDARD, progress=progress)
    assert noted(settings) == ["ann-v1", "ann-v2"]


@pytest.mark.parametrize("branch", ["master", "main", "data"])
def test_the_branch_is_that_of_an_empty_repository(branch: str, tmp_path: Path) -> None:
    origin = tmp_path / "origin.git"
    subprocess.run(["git", "init", "-q", "--bare", "-b", branch, origin], check=True)
    settings = Settings(home=tmp_path / "home", datasets=str(origin))
    add(settings, small_set(tmp_path / "set", 1))
    _git(tmp_path, "clone", "-q", origin, "clone")
    assert (tmp_path / "clone" / "annotations" / "board.dvc").is_file()
    assert _git(origin, "branch", "--format=%(refname:short)").split() == [branch]


def test_nothing_of_one_machine_is_committed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://localhost:9")
    config = committed_files(Settings(home=tmp_path, store="gs://team/plates"))[".dvc/config"]
    assert committed_url(config) == "gs://team/plates/dvc"
    assert "endpointurl" not in config
    assert "anonymous" not in config


def test_versions_of_one_repository_lie_in_one_store(tmp_path: Path) -> None:
    origin, shared = tmp_path / "origin.git", f"file://{tmp_path}/shared"
    subprocess.run(["git", "init", "-q", "--bare", origin], check=True)
    first = Settings(home=tmp_path / "first", datasets=str(origin), store=shared)
    add(first, small_set(tmp_path / "set1", 1, seed=1))
    directory = small_set(tmp_path / "set2", 1, seed=2)
    for store, place in ((None, "other/store"), (f"file://{tmp_path}/elsewhere", "elsewhere")):
        other = Settings(home=tmp_path / "other", datasets=str(origin), store=store)
        with pytest.raises(DataError, match=r"its versions lie in .* not in ") as caught:
            add(other, directory, "v2")
        said = str(caught.value)
        assert "\n" not in said
        assert f"{tmp_path}/shared/dvc " in said
        assert f"{tmp_path}/{place}/dvc: " in said
    assert tags(first) == ["ann-v1"]
    assert add(other.model_copy(update={"store": shared}), directory, "v2").tag == "ann-v2"


def test_a_home_that_was_moved_says_so(settings: Settings, tmp_path: Path) -> None:
    """The fixture's home is a copy of another; its repository and store came with it."""
    assert committed_url(_config(settings)) != f"{settings.home}/store/dvc"
    directory = small_set(tmp_path / "set3", 1, seed=3)
    add(settings, directory, "v3")
    assert committed_url(_config(settings)) == f"{settings.home}/store/dvc"
    DataSets(settings).pull("v1", tmp_path / "out")
    assert files(tmp_path / "out") == files(tmp_path / "set1")


def test_a_home_without_its_store_setting_adds_nothing(tmp_path: Path) -> None:
    home, directory = tmp_path / "home", small_set(tmp_path / "set", 1)
    add(Settings(home=home, store=f"file://{tmp_path}/shared"), directory)
    with pytest.raises(DataError, match=r"its versions lie in .*shared/dvc .*not in .*home/store"):
        add(Settings(home=home), directory, "v2")
    assert tags(Settings(home=home)) == ["ann-v1"]
