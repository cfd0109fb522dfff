"""The pipeline configs of the repository, and the one that docs/plates.md writes."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from components.run_config import run_config
from sub_module.plates import PlateStandard

ROOT = Path(__file__).resolve().parents[1]
NAMES = sorted(p.stem for p in (ROOT / "configs" / "pipelines").glob("[!_]*.py"))


@pytest.mark.parametrize("name", NAMES)
def test_every_pipeline_config_can_be_run(name: str) -> None:
    assert PlateStandard.from_config(run_config(name)["plates"]).layouts


def test_the_brazilian_config_of_the_docs_can_be_run(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "plates.md").read_text()
    (code,) = re.findall(
        r"```python\n# configs/pipelines/plate_training_br\.py\n(.*?)```", page, re.S
    )
    configs = tmp_path / "configs"
    shutil.copytree(ROOT / "configs", configs, ignore=shutil.ignore_patterns("__pycache__"))
    own = configs / "pipelines" / "plate_training_br.py"
    own.write_text(code)
    config = run_config(str(own))
    assert config["name"] == "plate_training_br"
    assert PlateStandard.from_config(config["plates"]).name == "br"
    layouts = {layout["name"] for layout in config["plates"]["layouts"]}
    assert config["dataset"]["draw"]["layouts"].keys() == layouts
