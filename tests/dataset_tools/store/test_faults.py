"""A server that fails for a while, that refuses, or that is not there."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from dataset_tools.store import Store, open_store
from sub_module.errors import StoreError
from sub_module.settings import Settings
from tests.dataset_tools.store.places import fill, no_more_than, tree, write
from tests.servers.gcs import Gcs


def _store(gcs: Gcs, patience_seconds: float = 20.0) -> Store:
    return Store(Settings(store=gcs.store), patience_seconds)


def _ask(store: Store) -> None:
    with pytest.raises(StoreError, match="no such thing"):
        store.get("nothing", Path("nowhere"))


def test_well_again_after_a_while(gcs: Gcs, tmp_path: Path) -> None:
    source = fill(tmp_path / "source", 4)
    store = _store(gcs)
    _ask(store)
    gcs.asked.clear()
    gcs.fail(503, seconds=2.5)
    begin = time.monotonic()
    store.put(source, "set")
    assert 2.5 < time.monotonic() - begin < 15
    failed = [asked for asked in gcs.asked if asked.status == 503]
    # The pauses grow: it is not asked all the time.
    assert 2 <= len(failed) <= 4
    assert len(gcs.uploads()) == 5, "four files and the manifest"
    gcs.fail(503, times=3)
    store.get("set", tmp_path / "out")
    assert tree(tmp_path / "out") == tree(source)
    assert len([asked for asked in gcs.asked if asked.status == 503]) == len(failed) + 3


@pytest.mark.parametrize("status", [500, 502, 504, 408, 429, 0], ids=lambda status: status or "cut")
def test_asked_again(gcs: Gcs, status: int) -> None:
    store = _store(gcs)
    gcs.fail(status, times=1)
    _ask(store)
    assert [asked.status for asked in gcs.asked][:2] == [status, 404]


def test_it_fails_in_the_middle_of_a_large_file(gcs: Gcs, tmp_path: Path) -> None:
    content = bytes(range(256)) * 50_000
    write(tmp_path / "large", content)
    gcs.fail(503, times=2, matching="upload_id=")
    store = _store(gcs)
    store.put(tmp_path / "large", "large")
    gcs.fail(503, times=2, matching="alt=media")
    store.get("large", tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == content
    assert [asked.status for asked in gcs.asked].count(503) == 4


def test_it_does_not_get_well(
    gcs: Gcs,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = _store(gcs, patience_seconds=1.5)
    gcs.fail(503)
    begin = time.monotonic()
    with pytest.raises(StoreError) as raised:
        store.put(fill(tmp_path / "source", 30), "set")
    assert 0.5 < time.monotonic() - begin < 15
    assert str(raised.value) == f"{gcs.store}: the server answers 503 (Backend Error)"
    out, err = capfd.readouterr()
    assert (out, err, caplog.text) == ("", "", ""), "gcsfs would log its traceback"


def _actions(store: Store, tmp_path: Path) -> dict[str, Callable[[], object]]:
    write(tmp_path / "file", b"x")
    return {
        "put": lambda: store.put(tmp_path / "file", "a"),
        "get": lambda: store.get("a", tmp_path / "out"),
        "check": lambda: store.check(),
    }


_ACTIONS = ["put", "get", "check"]


@pytest.mark.parametrize("action", _ACTIONS)
@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (401, "the server wants credentials, and none are set (401)"),
        (
            403,
            "access refused (403): the account does not have storage.objects.list access to the "
            "bucket.",
        ),
    ],
)
def test_refused(gcs: Gcs, tmp_path: Path, action: str, status: int, reason: str) -> None:
    actions = _actions(_store(gcs), tmp_path)
    gcs.fail(status)
    with no_more_than(5), pytest.raises(StoreError) as raised:
        actions[action]()
    assert str(raised.value) == f"{gcs.store}: {reason}"
    assert len(gcs.asked) <= 2, "a refusal is not asked for again"
    assert not (tmp_path / "out").exists()


def test_refused_on_the_way(gcs: Gcs, tmp_path: Path) -> None:
    gcs.fail(403, matching="07.bin")
    source = fill(tmp_path / "source", 40)
    # Large, so that its name stands in the URL.
    write(source / "07.bin", bytes(6_000_000))
    with pytest.raises(StoreError, match="access refused"):
        _store(gcs).put(source, "set")
    with pytest.raises(StoreError, match="no such thing"):
        _store(gcs).get("set", tmp_path / "out")


@pytest.mark.parametrize("action", _ACTIONS)
def test_no_such_bucket(gcs: Gcs, tmp_path: Path, action: str) -> None:
    store = Store(Settings(store="gs://of-nobody/plateflow"), 20.0)
    with no_more_than(5), pytest.raises(StoreError) as raised:
        _actions(store, tmp_path)[action]()
    assert str(raised.value) == "gs://of-nobody/plateflow: there is no bucket of-nobody"


def test_unreachable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"127.0.0.1:{port}")
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    store = open_store(Settings(store="gs://bucket/plateflow"))
    with no_more_than(15), pytest.raises(StoreError) as raised:
        store.check()
    assert str(raised.value).startswith("gs://bucket/plateflow: cannot be reached at 127.0.0.1: ")
    assert "\n" not in str(raised.value)


def test_bytes_damaged_on_the_way(
    gcs: Gcs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = _store(gcs)
    store.put(fill(tmp_path / "source", 2), "set")
    real, damaged = gcs.forward, []

    def damaging(
        method: str, path: str, body: bytes, headers: dict[str, str]
    ) -> tuple[int, bytes, dict[str, str]]:
        status, content, kept = real(method, path, body, headers)
        if "00.bin" in path and "alt=media" in path and not damaged:
            damaged.append(path)
            content = b"?" * len(content)
        return status, content, kept

    monkeypatch.setattr(gcs, "forward", damaging)
    store.get("set", tmp_path / "out")
    assert damaged, "the checksum tells, and it is fetched once more"
    assert tree(tmp_path / "out") == tree(tmp_path / "source")


def test_many_at_a_time(gcs: Gcs, tmp_path: Path) -> None:
    source = fill(tmp_path / "source", 32, 10)
    store = _store(gcs)
    _ask(store)
    gcs.delay_seconds = 0.3
    # One after the other they would take ten seconds.
    with no_more_than(7):
        store.put(source, "set")
    with no_more_than(7):
        store.get("set", tmp_path / "out")
    assert tree(tmp_path / "out") == tree(source)
