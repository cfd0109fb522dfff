"""Files and directories go into a store and come back, whichever store it is."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dataset_tools.store import open_store
from sub_module.errors import StoreError
from sub_module.settings import Settings
from tests.dataset_tools.store.places import (
    ODD_NAMES,
    Place,
    bucket_place,
    directory_place,
    fill,
    tree,
    write,
)
from tests.servers.gcs import Gcs


@pytest.fixture(params=["file", "gs"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "file":
        return directory_place(tmp_path)
    gcs: Gcs = request.getfixturevalue("gcs")
    return bucket_place(gcs)


def test_a_directory_comes_back_the_same(place: Place, tmp_path: Path) -> None:
    source = tmp_path / "source dir"
    for number, name in enumerate(ODD_NAMES):
        write(source / name, random.Random(number).randbytes(100 + number))
    write(source / "empty", b"")
    write(source / ".hidden", b"also")
    # In the format of small uploads these end, or look like the end.
    write(source / "return.txt", b"one line\r")
    write(source / "boundary.txt", b"\n--==0==--\r\nand more\n--==0==\n")
    # Larger than what is sent at once.
    write(source / "large.bin", random.Random(0).randbytes(11_000_001))
    seen: list[tuple[int, int]] = []
    name = "models/런 #1 a"
    url = place.store.put(source, name, lambda done, total, text: seen.append((done, total)))
    assert url == f"{place.store.url}/{name}"
    total = sum(map(len, tree(source).values()))
    assert seen[-1] == (total, total)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert len(seen) > 10
    seen.clear()
    out = tmp_path / "of others" / "받은 것"
    place.store.get(name, out, lambda done, total, text: seen.append((done, total)))
    assert tree(out) == tree(source)
    assert seen[-1] == (total, total)
    assert [path.name for path in out.parent.iterdir()] == [out.name], "nothing beside it"


def test_a_file_comes_back_the_same(place: Place, tmp_path: Path) -> None:
    source = tmp_path / "best.pth"
    write(source, b"weights")
    assert place.store.put(source, "runs/a/best.pth") == f"{place.store.url}/runs/a/best.pth"
    place.store.get("runs/a/best.pth", tmp_path / "again.pth")
    assert (tmp_path / "again.pth").read_bytes() == b"weights"
    # The manifest says what it is made of, and its object is the file itself.
    assert set(place.objects()) == {"runs/a/best.pth", ".manifests/runs/a/best.pth.manifest"}


def test_an_empty_directory(place: Place, tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    place.store.put(tmp_path / "nothing", "nothing")
    place.store.get("nothing", tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_names_below_names(place: Place, tmp_path: Path) -> None:
    names = ("models/b", "models/a b", "models/a", "models/a.manifest", "가")
    for number, name in enumerate(names):
        place.store.put(fill(tmp_path / f"source{number}", 1, seed=number), name)
    for number, name in enumerate(names):
        place.store.get(name, tmp_path / f"out{number}")
        assert tree(tmp_path / f"out{number}") == tree(tmp_path / f"source{number}")
    with pytest.raises(StoreError, match="models: there is no such thing in the store"):
        place.store.get("models", tmp_path / "out")


def test_other_bytes_take_the_place_of_a_name(place: Place, tmp_path: Path) -> None:
    store = place.store
    store.put(fill(tmp_path / "first", 3), "model")
    other = fill(tmp_path / "other", 2, seed=1)
    store.put(other, "model")
    store.get("model", tmp_path / "out")
    assert tree(tmp_path / "out") == tree(other)
    write(tmp_path / "file", b"one")
    store.put(tmp_path / "file", "best.pth")
    write(tmp_path / "file", b"two")
    store.put(tmp_path / "file", "best.pth")
    store.get("best.pth", tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == b"two"


def test_nothing_is_sent_twice(place: Place, tmp_path: Path) -> None:
    source = fill(tmp_path / "source")
    place.store.put(source, "set")
    before = place.objects()
    seen = []
    place.store.put(source, "set", lambda done, total, text: seen.append((done, total)))
    assert place.objects() == before
    assert seen[-1] == (5000, 5000)


# Told how far it is, it goes no further: its parent kills it there.
_UNTIL_HALF = """
import sys, time
from pathlib import Path
from dataset_tools.store import open_store
from sub_module.settings import Settings

def progress(done, total, text):
    if done * 2 >= total:
        print("half", flush=True)
        time.sleep(60)

store = open_store(Settings())
getattr(store, sys.argv[1])(*(Path(a) if a.startswith("/") else a for a in sys.argv[2:]), progress)
"""


def _killed_half_way(place: Place, *arguments: str) -> None:
    environment = {**os.environ, "PLATEFLOW_STORE": place.store.url, "PYTHONPATH": "."}
    child = subprocess.Popen(
        [sys.executable, "-c", _UNTIL_HALF, *arguments],
        stdout=subprocess.PIPE,
        env=environment,
        cwd=Path(__file__).parents[3],
    )
    assert child.stdout
    assert child.stdout.readline() == b"half\n"
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    child.stdout.close()


def test_a_killed_put_goes_on(place: Place, tmp_path: Path) -> None:
    source = fill(tmp_path / "source", num_files=60)
    _killed_half_way(place, "put", str(source), "set")
    with pytest.raises(StoreError, match="there is no such thing"):
        place.store.get("set", tmp_path / "out")
    before = place.objects()
    assert 20 < len(before) < 60
    if place.gcs:
        place.gcs.asked.clear()
    place.store.put(source, "set")
    after = place.objects()
    assert {key: after[key] for key in before} == before, "what was there is not sent again"
    assert len(after) == 61
    if place.gcs:
        assert len(place.gcs.uploads()) == 61 - len(before)
    place.store.get("set", tmp_path / "out")
    assert tree(tmp_path / "out") == tree(source)


def test_a_killed_get_goes_on(place: Place, tmp_path: Path) -> None:
    source = fill(tmp_path / "source", num_files=40)
    write(source / "large.bin", random.Random(0).randbytes(20_000_000))
    place.store.put(source, "set")
    out = tmp_path / "to" / "out"
    _killed_half_way(place, "get", "set", str(out))
    assert not out.exists()
    if place.gcs:
        place.gcs.asked.clear()
    seen: list[int] = []
    place.store.get("set", out, lambda done, total, text: seen.append(done))
    assert tree(out) == tree(source)
    assert [path.name for path in out.parent.iterdir()] == ["out"], "no leftovers"
    if place.gcs:
        pieces = [asked for asked in place.gcs.asked if "alt=media" in asked.path]
        assert len(pieces) < 40, "the manifest, and the files that were not there"


def test_two_at_the_same_time(place: Place, tmp_path: Path) -> None:
    source = fill(tmp_path / "source", num_files=20)
    with ThreadPoolExecutor(3) as pool:
        for done in [pool.submit(place.store.put, source, "set") for _ in range(3)]:
            done.result()
        for done in [pool.submit(place.store.get, "set", tmp_path / "out") for _ in range(3)]:
            done.result()
    assert tree(tmp_path / "out") == tree(source)
    assert sorted(path.name for path in tmp_path.iterdir() if path.name[0] == ".") == []


def test_a_damaged_object_is_found(place: Place, tmp_path: Path) -> None:
    source = fill(tmp_path / "source")
    place.store.put(source, "set")
    place.overwrite("set/03.bin", b"x" * 1000)
    with pytest.raises(StoreError) as raised:
        place.store.get("set", tmp_path / "out")
    assert f"{place.store.url}/set/03.bin: damaged in the store" in str(raised.value)
    assert not (tmp_path / "out").exists()
    place.store.put(source, "set")
    place.store.get("set", tmp_path / "out")
    assert tree(tmp_path / "out") == tree(source), "a put of the same mends it"


@pytest.mark.parametrize("content", [b"", b"x" * 999, b"x" * 1001], ids=len)
def test_an_object_of_another_size(place: Place, tmp_path: Path, content: bytes) -> None:
    source = fill(tmp_path / "source", 2)
    place.store.put(source / "00.bin", "one")
    place.overwrite("one", content)
    with pytest.raises(StoreError, match="damaged in the store") as raised:
        place.store.get("one", tmp_path / "out")
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "out").exists()


def test_a_lost_object(place: Place, tmp_path: Path) -> None:
    place.store.put(fill(tmp_path / "source"), "set")
    place.remove("set/02.bin")
    with pytest.raises(StoreError, match=r"set/02\.bin: gone from the store$"):
        place.store.get("set", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "manifest",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"[]", id="something else"),
        pytest.param(b'{"a": {"size": 1}}', id="incomplete"),
        pytest.param(
            b'{"../a": {"size": 1, "md5": "0"}}',
            id="out of the directory",
        ),
        pytest.param(
            b'{"/a": {"size": 1, "md5": "0"}}',
            id="absolute",
        ),
    ],
)
def test_a_bad_manifest(place: Place, tmp_path: Path, manifest: bytes) -> None:
    place.store.put(fill(tmp_path / "source", 1), "set")
    place.overwrite(".manifests/set.manifest", manifest)
    with pytest.raises(StoreError) as raised:
        place.store.get("set", tmp_path / "out")
    assert str(raised.value).startswith(f"{place.store.url}/set: ")
    assert "\n" not in str(raised.value)
    place.store.put(tmp_path / "source", "set")
    place.store.get("set", tmp_path / "out")


@pytest.mark.parametrize(
    "name",
    [
        "", "/a", "a/", "a//b", "..", "../a", "a/../b", "a/..", ".", "a/./b", "a\nb", "a\x00",
        ".manifests/a", ".x", "가" * 400, "\udcff",
    ],
)  # fmt: skip
def test_a_name_that_is_refused(place: Place, tmp_path: Path, name: str) -> None:
    write(tmp_path / "file", b"x")
    for action in (
        lambda: place.store.put(tmp_path / "file", name),
        lambda: place.store.get(name, tmp_path / "out"),
    ):
        with pytest.raises(StoreError, match="is no name in a store: ") as raised:
            action()
        assert "\n" not in str(raised.value)
    assert place.objects() == {}


def test_sources_that_cannot_be_stored(place: Place, tmp_path: Path) -> None:
    source = fill(tmp_path / "source", 1)
    with pytest.raises(StoreError, match="no such file or directory"):
        place.store.put(tmp_path / "missing", "set")
    for make, reason in (
        (lambda path: path.symlink_to(tmp_path), "a link to a directory"),
        (lambda path: path.symlink_to("nowhere"), "neither a file nor a directory"),
        (lambda path: path.with_name("a\nb").write_text(""), "control character"),
    ):
        make(source / "bad")
        with pytest.raises(StoreError, match=reason):
            place.store.put(source, "set")
        for path in source.glob("[ab]*"):
            path.unlink()
    assert place.objects() == {}
    (source / "link").symlink_to("00.bin")
    place.store.put(source, "set")
    place.store.get("set", tmp_path / "out")
    assert tree(tmp_path / "out") == tree(source), "a link to a file is its bytes"


def test_a_file_that_changes_while_it_is_stored(place: Place, tmp_path: Path) -> None:
    source = fill(tmp_path / "source", 1)

    def change(done: int, total: int, text: str) -> None:
        if not done:
            write(source / "00.bin", b"y" * 1000)

    with pytest.raises(StoreError, match=r"00\.bin: it changed while it was stored"):
        place.store.put(source, "set", change)
    assert ".manifests/set.manifest" not in place.objects()


def test_what_is_at_the_target_stays(place: Place, tmp_path: Path) -> None:
    source = fill(tmp_path / "source", 3)
    place.store.put(source, "set")
    out = tmp_path / "out"
    out.mkdir()
    place.store.get("set", out)
    place.store.get("set", out)
    write(out / "mine.txt", b"work of a week")
    with pytest.raises(StoreError, match=r"out: something else is there already$"):
        place.store.get("set", out)
    assert (out / "mine.txt").read_bytes() == b"work of a week"
    with pytest.raises(StoreError, match="something else is there"):
        place.store.get("set", source / "00.bin")


def test_no_room(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    place.store.put(fill(tmp_path / "source", 3, 1_000_000), "set")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10, 10, 1_000_000))
    with pytest.raises(StoreError, match=r"no room: 3\.0 MB to come, 1\.0 MB free"):
        place.store.get("set", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_check(place: Place) -> None:
    place.store.check()
    assert place.objects() == {}, "it takes back what it wrote"


def test_the_manifest(tmp_path: Path) -> None:
    place = directory_place(tmp_path)
    write(tmp_path / "d" / "b" / "c", b"hello")
    place.store.put(tmp_path / "d", "x/y")
    root = Path(place.store.url.removeprefix("file://"))
    assert json.loads((root / ".manifests/x/y.manifest").read_text()) == {
        "b/c": {"size": 5, "md5": "5d41402abc4b2a76b9719d911017c592"}
    }


def test_a_directory_that_cannot_be_a_store(tmp_path: Path) -> None:
    write(tmp_path / "file", b"")
    store = open_store(Settings(store=f"file://{tmp_path}/file/store"))
    for action in (store.check, lambda: store.put(tmp_path / "file", "a")):
        with pytest.raises(StoreError) as raised:
            action()
        assert str(tmp_path / "file") in str(raised.value)
        assert "\n" not in str(raised.value)


def test_the_embedded_default(tmp_path: Path) -> None:
    assert open_store(Settings(home=tmp_path / "h")).url == f"file://{tmp_path}/h/store"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("s3://user:hunter2@host/bucket", "s3:// is unknown"),
        ("/data/store", "it has no scheme"),
        ("file://data/store", "give an absolute directory"),
        ("file://", "give an absolute directory"),
        ("file:///data/../store", "a part is empty"),
        ("gs://", "a part is empty"),
        ("gs:///prefix", "a part is empty"),
        ("gs://bucket/../other", "a part is empty"),
        ("gs://bucket//a", "a part is empty"),
    ],
)
def test_urls_that_are_refused(url: str, said: str) -> None:
    with pytest.raises(StoreError, match=said) as raised:
        open_store(Settings(store=url))
    assert "hunter2" not in str(raised.value)
    assert "\n" not in str(raised.value)


def test_nothing_heavy_before_it_is_needed() -> None:
    code = (
        "import sys, dataset_tools.store, dataset_tools.store.google\n"
        "heavy = {'gcsfs', 'fsspec', 'google.auth', 'requests', 'aiohttp'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        cwd=Path(__file__).parents[3],
    )  # fmt: skip
    assert done.stdout.strip() == "[]"
