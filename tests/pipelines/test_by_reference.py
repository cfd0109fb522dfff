"""Overrides that a parameter of Kubeflow Pipelines does not hold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from components.parameters import IN_STORE, ON_VOLUME, given_overrides
from pipelines.by_reference import overrides_by_reference
from sub_module.errors import ConfigError, RunError, StoreError
from sub_module.settings import Settings
from tests.servers.gcs import Gcs

OTHERS = {"run": "plate_training-v1-abcdef12", "volume": "/mnt/plateflow", "config": "compiled"}
LIMIT_BYTES = 10_000


def overrides_of(num_characters: int, character: str = "x") -> dict[str, Any]:
    return {"train.lr": 0.001, "dataset.category": character * num_characters}


@pytest.mark.parametrize("character", ["x", "판", "<", "\x01"])
def test_what_fits_stays(character: str) -> None:
    """And what stays fits, however the server writes its JSON."""
    largest = 0
    for size in range(0, 12_000, 97):
        given, note = _or_refused(overrides_of(size, character))
        if given is None:
            break
        assert given == overrides_of(size, character)
        assert note is None
        # As Go's encoding/json does, which writes <, > and & in six characters.
        text = json.dumps({**OTHERS, "overrides": given}, ensure_ascii=False)
        assert len(text.replace("<", "\\u003c").encode()) <= LIMIT_BYTES
        largest = size
    assert 500 < largest < LIMIT_BYTES


def _or_refused(overrides: dict[str, Any]) -> tuple[dict[str, Any] | None, str | None]:
    try:
        return overrides_by_reference(overrides, OTHERS, Settings())
    except RunError:
        return None, None


def test_huge_overrides_go_through_a_volume_that_is_mounted_here(tmp_path: Path) -> None:
    given, note = overrides_by_reference(overrides_of(20_000), OTHERS, Settings(volume=tmp_path))
    assert list(given) == [ON_VOLUME]
    assert note is not None
    assert f"the volume, {given[ON_VOLUME]}" in note
    assert given_overrides(given, tmp_path) == overrides_of(20_000)
    (tmp_path / given[ON_VOLUME]).write_text("[]")
    with pytest.raises(ConfigError, match="expected config keys and values"):
        given_overrides(given, tmp_path)
    (tmp_path / "overrides").rename(tmp_path / "old")
    (tmp_path / "overrides").touch()
    with pytest.raises(RunError, match="nor does the volume"):
        overrides_by_reference(overrides_of(20_000), OTHERS, Settings(volume=tmp_path))
    missing = tmp_path / "missing"
    with pytest.raises(RunError, match=r"PLATEFLOW_VOLUME: .*: there is no such directory"):
        overrides_by_reference(overrides_of(20_000), OTHERS, Settings(volume=missing))
    assert not missing.exists(), "no cluster mounts what is made here"


def test_huge_overrides_go_through_the_store(
    gcs: Gcs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    huge = {f"search.parameters.p{number}": "번호판" * 20 for number in range(2000)}
    monkeypatch.setenv("PLATEFLOW_STORE", gcs.store)
    given, note = overrides_by_reference(huge, OTHERS, Settings())
    assert len(json.dumps({**OTHERS, "overrides": given})) < 500
    assert note is not None
    assert "the store, gs://" in note
    assert given == overrides_by_reference(huge, OTHERS, Settings())[0], "the same run"
    assert given_overrides(given, tmp_path) == huge
    with pytest.raises(StoreError, match=r"overrides/none\.json: there is no such thing"):
        given_overrides({IN_STORE: "overrides/none.json"}, tmp_path)


@pytest.mark.parametrize("store", [None, "file:///tmp/store"])
def test_a_store_that_no_cluster_reads(store: str | None) -> None:
    with pytest.raises(RunError, match=r"overrides take 1\d,\d{3} characters.*PLATEFLOW_STORE"):
        overrides_by_reference(overrides_of(12_000), OTHERS, Settings(store=store))


def test_what_is_no_override(gcs: Gcs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataset_tools.store import open_store

    monkeypatch.setenv("PLATEFLOW_STORE", gcs.store)
    file = tmp_path / "list.json"
    file.write_text("[1]")
    open_store(Settings()).put(file, "overrides/list.json")
    with pytest.raises(ConfigError, match=r"overrides/list\.json: expected config keys"):
        given_overrides({IN_STORE: "overrides/list.json"}, tmp_path)
