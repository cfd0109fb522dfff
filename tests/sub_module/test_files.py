"""Files appear whole or not at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from sub_module.files import is_disk_full, listing_hash, read_json, write_json, write_text


def test_write_replaces_and_leaves_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "a.json"
    write_json(file, {"a": 1})
    write_json(file, {"a": 2})
    assert read_json(file) == {"a": 2}
    assert [path.name for path in file.parent.iterdir()] == ["a.json"]
    assert file.stat().st_mode & 0o777 == 0o644


def test_missing_json_is_none(tmp_path: Path) -> None:
    assert read_json(tmp_path / "a.json") is None


def test_failed_write_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a.txt"
    write_text(file, "old")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("sub_module.files.os.replace", full)
    with pytest.raises(OSError, match="No space left") as caught:
        write_text(file, "new")
    assert is_disk_full(caught.value)
    assert file.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_full_device_is_told_from_other_errors(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space") as caught:
        Path("/dev/full").write_text("x")
    assert is_disk_full(caught.value)
    with pytest.raises(OSError, match="No such file") as caught:
        (tmp_path / "none").read_text()
    assert not is_disk_full(caught.value)


def test_listing_hash_tells_of_changes(tmp_path: Path) -> None:
    hashes = [listing_hash(tmp_path)]
    (tmp_path / "a.txt").write_text("a")
    hashes.append(listing_hash(tmp_path))
    (tmp_path / "b").mkdir()
    (tmp_path / "a.txt").rename(tmp_path / "b" / "a.txt")
    hashes.append(listing_hash(tmp_path))
    (tmp_path / "b" / "a.txt").write_text("longer")
    hashes.append(listing_hash(tmp_path))
    assert len(set(hashes)) == len(hashes)
    assert listing_hash(tmp_path) == hashes[-1]
