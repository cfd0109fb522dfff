"""The model that ships: it is small, and reads the README's pictures where nothing else is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from dataset_tools.record import coco_of
from sub_module.engine.infer import SHIPPED_MODEL, model_in_use
from tests.standards import kr_standard

ROOT = Path(__file__).resolve().parents[1]
SAMPLES = ROOT / "docs" / "samples"


def typed(home: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, str(ROOT / "pipeline_utils.py"), *arguments],
        cwd=home.parent,
        env={**os.environ, "PLATEFLOW_HOME": str(home)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_reads_the_samples(tmp_path: Path) -> None:
    images = sorted(SAMPLES.glob("*.jpg"))
    began = time.monotonic()
    rows = json.loads(typed(tmp_path / "home", "read", "--json", *map(str, images)))
    assert time.monotonic() - began < 10, "a newcomer reads a plate within ten seconds"
    coco = coco_of(SAMPLES, kr_standard())
    names = {image["id"]: image["file_name"] for image in coco["images"]}
    wanted = sorted(
        (names[annotation["image_id"]], annotation["reading"]["layout"], reading)
        for annotation in coco["annotations"]
        if "reading" in annotation
        for reading in [annotation["reading"]["text"]]
    )
    found = sorted(
        (Path(row["file"]).name, reading["layout"], reading["text"])
        for row in rows
        for reading in row["readings"]
    )
    assert len(found) >= 4
    assert found == wanted
    readme = (ROOT / "README.md").read_text()
    shown = [text for name, _, text in found if f"read docs/samples/{name}" in readme]
    assert shown, "the README reads one of them"
    assert all(text in readme for text in shown)


def test_it_is_evaluated_like_any_other(tmp_path: Path) -> None:
    for precision in ("float32", "int8"):
        options = ("--precision", precision, "--json")
        scores = json.loads(typed(tmp_path / "home", "evaluate", str(SAMPLES), *options))
        assert scores["EIR"] == 1.0


def test_a_deployed_model_comes_first(tmp_path: Path) -> None:
    assert model_in_use(tmp_path) == SHIPPED_MODEL
    (tmp_path / "models" / "current").mkdir(parents=True)
    assert model_in_use(tmp_path) == tmp_path / "models" / "current"


def test_it_is_small_and_has_a_card() -> None:
    files = [file for file in SHIPPED_MODEL.iterdir() if file.is_file()]
    assert sum(file.stat().st_size for file in files) <= 9_000_000
    card = (SHIPPED_MODEL / "README.md").read_text()
    for part in ("## Data", "## Training", "## Figures", "## What it cannot do"):
        assert part in card


def test_its_settings_name_no_machine() -> None:
    assert '"/' not in (SHIPPED_MODEL / "settings.json").read_text(), "no absolute path"
