"""Files appear whole or not at all."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sub_module.errors import DataError
from sub_module.files import (
    appearing,
    is_disk_full,
    listing_hash,
    point,
    read_json,
    reason_of,
    remove,
    sweep,
    tree_hash,
    write_json,
    write_text,
)

ROOT = Path(__file__).resolve().parents[2]


def test_write_replaces_and_leaves_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "a.json"
    write_json(file, {"a": 1})
    write_json(file, {"a": 2})
    assert read_json(file) == {"a": 2}
    assert [path.name for path in file.parent.iterdir()] == ["a.json"]
    assert file.stat().st_mode & 0o777 == 0o644


def test_missing_json_is_none(tmp_path: Path) -> None:
    assert read_json(tmp_path / "a.json") is None


def test_damaged_json_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(DataError, match=r"a\.json: damaged"):
        read_json(tmp_path / "a.json")


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


def test_listing_hash_of_links_and_hidden_files(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "link").symlink_to("to nothing")
    before = listing_hash(tmp_path)
    (tmp_path / ".hidden").write_text("a")
    (tmp_path / ".folder").mkdir()
    (tmp_path / ".folder" / "a").write_text("a")
    assert listing_hash(tmp_path) == before
    (tmp_path / "link").unlink()
    assert listing_hash(tmp_path) != before


def test_listing_hash_sees_what_a_link_points_at(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (tmp_path / "a").write_text("a")
    (data / "link").symlink_to("../a")
    before = listing_hash(data)
    (tmp_path / "a").write_text("longer")
    assert listing_hash(data) != before


def test_tree_hash_is_of_names_and_contents(tmp_path: Path) -> None:
    hashes = [tree_hash(tmp_path)]
    (tmp_path / "b").mkdir()
    file = tmp_path / "b" / "a.py"
    for text in ("1", "2"):
        file.write_text(text)
        hashes.append(tree_hash(tmp_path))
    (tmp_path / "b" / "a.txt").write_text("no Python")
    assert tree_hash(tmp_path, "*.py") == hashes[-1]
    hashes.append(tree_hash(tmp_path))
    file.rename(tmp_path / "b" / "c.py")
    hashes.append(tree_hash(tmp_path))
    assert len(set(hashes)) == len(hashes)
    os.utime(tmp_path / "b" / "c.py", (1, 1))
    assert tree_hash(tmp_path) == hashes[-1], "the time does not count"


@pytest.mark.parametrize("there", [False, True], ids=["nothing there", "an empty directory"])
def test_directory_appears_whole(tmp_path: Path, there: bool) -> None:
    out = tmp_path / "deep" / "out"
    if there:
        out.mkdir(parents=True)
    with appearing(out) as partial:
        (partial / "a").write_text("a")
        assert not (out / "a").exists()
    assert [path.name for path in out.iterdir()] == ["a"]
    assert [path.name for path in out.parent.iterdir()] == ["out"]


def test_directory_does_not_appear_after_a_failure(tmp_path: Path) -> None:
    def fill() -> None:
        with appearing(tmp_path / "out") as partial:
            (partial / "a").write_text("a")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fill()
    assert list(tmp_path.iterdir()) == []


def test_directory_that_holds_something_stays(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "old").write_text("old")
    with pytest.raises(OSError, match="not empty"), appearing(out) as partial:
        (partial / "new").write_text("new")
    assert [path.name for path in out.iterdir()] == ["old"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_current_directory_can_appear(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "out").mkdir()
    monkeypatch.chdir(tmp_path / "out")
    with appearing(Path()) as partial:
        (partial / "a").write_text("a")
    assert (tmp_path / "out" / "a").is_file()


def test_link_is_pointed_elsewhere(tmp_path: Path) -> None:
    link = tmp_path / "deep" / "link"
    for target in ("one", "two"):
        point(link, target)
        assert os.readlink(link) == target
    assert [path.name for path in link.parent.iterdir()] == ["link"]


def test_remove(tmp_path: Path) -> None:
    (tmp_path / "out" / "deep").mkdir(parents=True)
    for _ in range(2):
        remove(tmp_path / "out")
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "work",
    [
        pytest.param("files.write_text(home / 'runs/r1/run.json', 'a')", id="a file"),
        pytest.param("files.point(home / 'runs/latest', '../../data')", id="a link"),
        pytest.param(
            "with files.appearing(home / 'runs/r2') as out: files.write_text(out / 'a', 'a')",
            id="a directory",
        ),
    ],
)
def test_sweep_takes_what_a_kill_left_and_nothing_else(tmp_path: Path, work: str) -> None:
    home, data = tmp_path / "home", tmp_path / "data"
    for file in (home / "runs/r1/partial.json", home / "runs/.lock", data / "a.jpg"):
        write_text(file, "a")
    before = sorted(home.rglob("*"))
    program = (
        "import os, sys\nfrom pathlib import Path\nfrom sub_module import files\n"
        "home = Path(sys.argv[1])\n"
        "os.rename = os.replace = lambda *_: os._exit(9)\n"
    )
    killed = subprocess.run([sys.executable, "-c", program + work, str(home)], cwd=ROOT)
    assert killed.returncode == 9
    assert len(sorted(home.rglob("*"))) > len(before)
    (home / "runs/.r1.deleted-12").mkdir()
    (home / "runs/r1/epoch_1.pth.partial").write_text("a")
    sweep(home)
    assert sorted(home.rglob("*")) == before
    assert (data / "a.jpg").is_file(), "what a link points at stays"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(errno.EACCES, "Permission denied", "a.txt"), "a.txt: Permission denied"),
        (OSError(errno.EIO, "Input/output error"), "Input/output error"),
        (OSError("no image"), "no image"),
        (OSError(), "OSError"),
    ],
)
def test_reason_of(error: OSError, reason: str) -> None:
    assert reason_of(error) == reason
