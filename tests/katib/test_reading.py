"""Files that are no Experiment."""

from __future__ import annotations

from pathlib import Path

import pytest

from katib.reading import read_experiment
from sub_module.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("a: [", r"not YAML: line 1", id="cut off"),
        pytest.param("- 1", r"no Katib Experiment: it has no `kind", id="a list"),
        pytest.param("", r"no Katib Experiment", id="empty"),
        pytest.param(None, r"cannot be read: No such file", id="no file"),
    ],
)
def test_no_experiment(tmp_path: Path, text: str | None, words: str) -> None:
    file = tmp_path / "x.yaml"
    if text is not None:
        file.write_text(text)
    with pytest.raises(ConfigError, match=words):
        read_experiment(file)
