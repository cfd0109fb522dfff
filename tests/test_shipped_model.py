"""The models that ship: small, and they read the README's pictures where nothing else is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dataset_tools.record import coco_of
from sub_module.engine.infer import SHIPPED_MODEL, model_in_use
from sub_module.metrics.photographs import with_zeros
from sub_module.plates.standards import load_standard

ROOT = Path(__file__).resolve().parents[1]
SAMPLES = ROOT / "docs" / "samples"
EUROPEAN = ROOT / "models" / "platenet-eu"
EUROPEAN_SAMPLES = ROOT / "docs" / "samples_eu"
# Of a standard: images that the README reads, and the options that it takes.
READ = {"kr": (SAMPLES, []), "eu": (EUROPEAN_SAMPLES, ["--standard", "eu"])}


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


def _with_zeros(row: tuple[str, str, str]) -> tuple[str, str, str]:
    file, layout, text = row
    return file, layout, with_zeros(text)


@pytest.mark.parametrize("name", READ)
def test_it_reads_the_samples(name: str, tmp_path: Path) -> None:
    samples, options = READ[name]
    images = sorted(samples.glob("*.jpg"))
    began = time.monotonic()
    rows = json.loads(typed(tmp_path / "home", "read", "--json", *options, *map(str, images)))
    assert time.monotonic() - began < 10, "a newcomer reads a plate within ten seconds"
    coco = coco_of(samples, load_standard(name))
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
    # In random texts nothing tells O from 0 where a lettering draws them alike.
    assert [_with_zeros(row) for row in found] == [_with_zeros(row) for row in wanted]
    readme = (ROOT / "README.md").read_text()
    shown = [text for file, _, text in found if f"read docs/{samples.name}/{file}" in readme]
    assert shown, "the README reads one of them"
    assert all(text in readme for text in shown)


def test_what_is_no_plate_gives_hardly_a_reading(tmp_path: Path) -> None:
    traps = tmp_path / "traps"
    config = ("--config", "plate_training_eu")
    typed(tmp_path / "home", "dataset", "draw-traps", str(traps), *config, *("--num", "36"))
    options = ("--standard", "eu", "--json")
    tried = json.loads(typed(tmp_path / "home", "dataset", "try-traps", str(traps), *options))
    assert tried["all"]["images"] == 36
    # The model's card says how often screens, signs and one of ten small plates are misread.
    doubtful = {"ten_plates", "screenshot", "sign"}
    sure = tried.keys() - {"all", *doubtful}
    assert sum(tried[kind]["false_readings"] for kind in sure) <= 1
    assert sum(tried[kind]["false_readings"] for kind in doubtful) <= 3


def test_it_is_evaluated_like_any_other(tmp_path: Path) -> None:
    for precision in ("float32", "int8"):
        options = ("--precision", precision, "--json")
        scores = json.loads(typed(tmp_path / "home", "evaluate", str(SAMPLES), *options))
        assert scores["EIR"] == 1.0


def test_a_deployed_model_comes_first(tmp_path: Path) -> None:
    assert model_in_use(tmp_path) == SHIPPED_MODEL
    (tmp_path / "models" / "current").mkdir(parents=True)
    assert model_in_use(tmp_path) == tmp_path / "models" / "current"


@pytest.mark.parametrize(("model", "size"), [(SHIPPED_MODEL, 9_000_000), (EUROPEAN, 8_000_000)])
def test_it_is_small_and_has_a_card(model: Path, size: int) -> None:
    files = [file for file in model.iterdir() if file.is_file()]
    assert sum(file.stat().st_size for file in files) <= size
    card = (model / "README.md").read_text()
    for part in ("## Data", "## Training", "## Figures", "## What it cannot do"):
        assert part in card


@pytest.mark.parametrize("model", [SHIPPED_MODEL, EUROPEAN])
def test_its_settings_name_no_machine(model: Path) -> None:
    assert '"/' not in (model / "settings.json").read_text(), "no absolute path"
