"""Settings come from the environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from sub_module.settings import Settings


def test_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PLATEFLOW_HOME", raising=False)
    assert Settings().home == Path(".plateflow")
    monkeypatch.setenv("PLATEFLOW_HOME", "")
    assert Settings().home == Path(".plateflow"), "empty is as good as unset"
    monkeypatch.setenv("PLATEFLOW_HOME", "/elsewhere")
    assert Settings().home == Path("/elsewhere")
