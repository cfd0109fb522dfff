"""What every backend offers beside running, on this machine."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from pipelines.backends.base import task_order
from pipelines.backends.local import LocalBackend
from sub_module.errors import RunError
from tests.pipelines.tiny import tiny_package


def test_versions(tmp_path: Path) -> None:
    backend = LocalBackend(tmp_path)
    assert backend.find("tiny", "v1") is None
    assert backend.latest("tiny") is None
    for version in ("v2", "v1"):
        backend.upload(tiny_package(version))
    found = backend.find("tiny", "v1")
    assert found is not None
    assert found.version == "v1"
    assert backend.latest("tiny") == found, "the last uploaded, whatever its name"
    with pytest.raises(RunError, match="'my version'"):
        backend.find("tiny", "my version")
    backend.delete_pipeline("tiny")
    assert backend.versions() == []
    with pytest.raises(RunError, match="there is no pipeline tiny"):
        backend.delete_pipeline("tiny")
    with pytest.raises(RunError, match=r"'\.\.'"):
        backend.delete_pipeline("..")


def test_run_that_takes_too_long_is_stopped(tmp_path: Path) -> None:
    backend = LocalBackend(tmp_path, Console(quiet=True))
    backend.upload(tiny_package(first={"does": "sleep", "number": 1}))
    record = backend.run("tiny", "v1", {})
    with pytest.raises(RunError, match="has not ended in time and was stopped"):
        backend.wait(record.name, 0)
    (left,) = backend.runs()
    assert left.state == "failed"
    backend.delete(record.name)


def test_task_order() -> None:
    tasks = {"c": {"dependentTasks": ["b"]}, "a": {}, "b": {"dependentTasks": ["a"]}}
    assert task_order(tasks) == ["a", "b", "c"]
    assert task_order({}) == []
