"""What a run's directory says of it, where nothing but its steps wrote."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.records import pipeline_of
from sub_module.files import write_json


@pytest.mark.parametrize(
    ("run", "version"),
    [
        pytest.param("my-plates-v1-abcdef12", "v1", id="by the name of a run"),
        pytest.param("my-plates-2026-11-21-abcdef12", "2026-11-21", id="a version with dashes"),
        pytest.param("every-night", "", id="a schedule's run says none"),
    ],
)
def test_pipeline_of_a_run_on_a_cluster(tmp_path: Path, run: str, version: str) -> None:
    assert pipeline_of(tmp_path / run, {"name": "my-plates"}) == ("my-plates", version)


def test_pipeline_that_a_backend_noted(tmp_path: Path) -> None:
    write_json(tmp_path / "run.json", {"pipeline": "mine", "version": "v2"})
    assert pipeline_of(tmp_path, {"name": "other"}) == ("mine", "v2")
