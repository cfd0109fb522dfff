"""Versions of pipelines: what is added, run again, refused, and never replaced."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.backends.directory import DirectoryRegistry
from pipelines.registry import Package, checked_name, make_package, needs_upload
from sub_module.errors import DataError, RunError
from sub_module.files import read_json, write_json

PACKAGE = Package("plates", "v1", "root: {}\n", {"name": "plates", "train": {"max_epochs": 3}})
OTHER = replace(PACKAGE, config={"name": "plates", "train": {"max_epochs": 4}})


@pytest.fixture
def registry(tmp_path: Path) -> DirectoryRegistry:
    return DirectoryRegistry(tmp_path / "registry")


def test_empty_registry(registry: DirectoryRegistry) -> None:
    assert registry.versions() == []
    with pytest.raises(RunError, match=r"plates has no version v1.*none"):
        registry.version("plates", "v1")


def test_new_name_and_new_versions(registry: DirectoryRegistry) -> None:
    registry.upload(PACKAGE)
    registry.upload(replace(OTHER, version="v2"))
    registry.upload(replace(PACKAGE, pipeline="others"))
    found = [(version.pipeline, version.version) for version in registry.versions()]
    assert found == [("plates", "v1"), ("plates", "v2"), ("others", "v1")]
    assert [version.version for version in registry.versions("plates")] == ["v1", "v2"]
    folder = registry.folder("plates", "v1")
    assert (folder / "pipeline.yaml").read_text() == PACKAGE.yaml
    assert read_json(folder / "config.json") == PACKAGE.config
    assert registry.version("plates", "v1").content == PACKAGE.content


def test_same_content_again_changes_nothing(registry: DirectoryRegistry) -> None:
    first = registry.upload(PACKAGE)
    assert registry.upload(PACKAGE) == first
    assert len(list(registry.folder("plates", "v1").parent.iterdir())) == 1


@pytest.mark.parametrize(
    "changed",
    [OTHER, replace(PACKAGE, yaml="root: {dag: {}}\n")],
    ids=["another config", "another pipeline"],
)
def test_other_content_never_replaces(registry: DirectoryRegistry, changed: Package) -> None:
    registry.upload(PACKAGE)
    with pytest.raises(RunError, match=r"v1 of plates.*never replaced"):
        registry.upload(changed)
    assert registry.version("plates", "v1").content == PACKAGE.content
    assert read_json(registry.folder("plates", "v1") / "config.json") == PACKAGE.config
    assert len(list(registry.folder("plates", "v1").parent.iterdir())) == 1


def test_delete(registry: DirectoryRegistry) -> None:
    registry.upload(PACKAGE)
    registry.upload(replace(OTHER, version="v2"))
    registry.delete("plates", "v1")
    assert [version.version for version in registry.versions()] == ["v2"]
    with pytest.raises(RunError, match="no version v1"):
        registry.delete("plates", "v1")
    registry.upload(OTHER)
    assert registry.version("plates", "v1").content == OTHER.content


@pytest.mark.parametrize("name", ["..", "*", "/tmp", "a/b", "", ".hidden"])
def test_names_are_checked_before_they_reach_a_path(registry: DirectoryRegistry, name: str) -> None:
    registry.upload(PACKAGE)
    for use in (
        lambda: registry.versions(name),
        lambda: registry.version("plates", name),
        lambda: registry.version(name, "v1"),
        lambda: registry.delete("plates", name),
        lambda: registry.upload(replace(PACKAGE, pipeline=name)),
    ):
        with pytest.raises(RunError, match="use letters"):
            use()
    assert [version.version for version in registry.versions()] == ["v1"]


def test_damaged_version_is_named_and_can_be_deleted(registry: DirectoryRegistry) -> None:
    registry.upload(PACKAGE)
    file = registry.folder("plates", "v1") / "version.json"
    write_json(file, {**read_json(file), "of_a_later_release": 1})
    assert registry.version("plates", "v1").content == PACKAGE.content
    file.write_text("{")
    with pytest.raises(DataError, match=r"v1/version\.json: damaged"):
        registry.versions()
    registry.delete("plates", "v1")
    assert registry.versions() == []


@pytest.mark.parametrize(
    ("is_uploaded", "run_uploaded", "expected"),
    [
        pytest.param(False, True, True, id="new"),
        pytest.param(False, False, True, id="new, and none may be run again"),
        pytest.param(True, True, False, id="there: run as it was uploaded"),
    ],
)
def test_rules(is_uploaded: bool, run_uploaded: bool, expected: bool) -> None:
    assert needs_upload(PACKAGE, is_uploaded, run_uploaded) is expected


def test_uploaded_version_is_refused_when_asked() -> None:
    with pytest.raises(RunError, match=r"v1 of plates is uploaded already.*--run-uploaded"):
        needs_upload(PACKAGE, is_uploaded=True, run_uploaded=False)


def test_default_version_is_the_content() -> None:
    package = make_package("plate_training", None, None)
    assert package.pipeline == "plate_training"
    assert package.version == package.content
    assert make_package("plate_training", None, None) == package
    named = make_package("plate_training", "mine", "v1")
    assert (named.pipeline, named.version, named.content) == ("mine", "v1", package.content)


@pytest.mark.parametrize("name", ["", "..", ".hidden", "a/b", "a b", "-x", "ä", "x" * 101, "a\n"])
def test_refused_names(name: str) -> None:
    with pytest.raises(RunError, match="version"):
        checked_name("version", name)


@pytest.mark.parametrize("name", ["v1", "2026-11-21", "a.b_c-d", "x" * 100])
def test_names(name: str) -> None:
    assert checked_name("version", name) == name
