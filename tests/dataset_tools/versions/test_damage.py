"""Bytes that are lost or damaged, in the cache and in the store."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from dataset_tools.versions import DataSets
from dataset_tools.versions.objects import Cache
from sub_module.errors import StoreError
from sub_module.settings import Settings
from tests.dataset_tools.versions.sets import add, files, leftovers, stored


def _damage(path: Path) -> None:
    """Turn over one bit of a file, which stays read-only, so that DVC does not look."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.chmod(0o644)
    path.write_bytes(content)
    path.chmod(0o444)


def _objects(settings: Settings, of: Path) -> list[str]:
    """Names of the objects with the bytes of a directory's files."""
    wanted = {path.read_bytes() for path in of.iterdir()}
    return sorted(name for name, content in stored(settings).items() if content in wanted)


def _cache(settings: Settings) -> Path:
    return settings.home / "versions" / "cache"


def _store(settings: Settings) -> Path:
    return settings.home / "store" / "dvc"


@pytest.mark.parametrize("editable", [True, False], ids=["copies", "links"])
def test_a_damaged_file_of_the_cache_is_fetched_again(
    editable: bool, settings: Settings, tmp_path: Path
) -> None:
    for name in _objects(settings, tmp_path / "set1")[:2]:
        _damage(_cache(settings) / name)
    DataSets(settings).pull("v1", tmp_path / "out", editable)
    assert files(tmp_path / "out") == files(tmp_path / "set1")


def test_a_damaged_listing_in_the_cache_is_fetched_again(
    settings: Settings, tmp_path: Path
) -> None:
    for path in _cache(settings).rglob("*.dir"):
        _damage(path)
    DataSets(settings).pull("v1", tmp_path / "out")
    assert files(tmp_path / "out") == files(tmp_path / "set1")


def test_a_damaged_file_of_the_cache_is_never_published(settings: Settings, tmp_path: Path) -> None:
    """A set that shares files with v1, whose cached bytes are damaged and gone from the store."""
    for name in _objects(settings, tmp_path / "set1"):
        _damage(_cache(settings) / name)
        (_store(settings) / name).unlink()
    (tmp_path / "set1" / "000002.json").unlink()
    (tmp_path / "set1" / "000002.jpg").unlink()
    add(settings, tmp_path / "set1", "v3")
    shutil.rmtree(_cache(settings))
    DataSets(settings).pull("v3", tmp_path / "out")
    assert files(tmp_path / "out") == files(tmp_path / "set1")


@pytest.mark.parametrize("what", ["missing", "damaged"])
@pytest.mark.parametrize("which", ["file", "listing"])
def test_bytes_that_are_lost_everywhere_are_said_and_mended(
    what: str, which: str, settings: Settings, tmp_path: Path
) -> None:
    shutil.rmtree(_cache(settings))
    version = DataSets(settings).find("v1")
    listing = Cache(_store(settings)).path(version.content_md5, is_listing=True)
    lost = (
        listing
        if which == "listing"
        else _store(settings) / _objects(settings, tmp_path / "set1")[0]
    )
    if what == "missing":
        lost.unlink()
    else:
        _damage(lost)
    with pytest.raises(StoreError, match=r"add the same files again as this version") as caught:
        DataSets(settings).pull("v1", tmp_path / "out")
    assert lost.relative_to(_store(settings)).as_posix() in str(caught.value)
    assert "ann-v1" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()
    assert leftovers(settings) == []

    assert not add(settings, tmp_path / "set1", "v1").is_new
    shutil.rmtree(_cache(settings))
    DataSets(settings).pull("v1", tmp_path / "out")
    assert files(tmp_path / "out") == files(tmp_path / "set1")


def test_bytes_that_the_store_has_lost_come_back_with_another_version(
    settings: Settings, tmp_path: Path
) -> None:
    """DVC finds the set's listing in the store, and does not look for its files."""
    lost, damaged = _objects(settings, tmp_path / "set1")[:2]
    (_store(settings) / lost).unlink()
    _damage(_store(settings) / damaged)
    assert add(settings, tmp_path / "set1", "v3").is_new
    shutil.rmtree(_cache(settings))
    DataSets(settings).pull("v3", tmp_path / "out")
    assert files(tmp_path / "out") == files(tmp_path / "set1")
