"""What each part of the European model is worth: `python -m tests.measure_ablations`.

Every arm trains the same model for the same number of images, drawn with the same seed but without
the one part; arms of the reading change nothing but the settings of the whole model. All are
measured on drawn images that no arm has seen, and on photographs where a directory of them is
given. Prints one Markdown row an arm and a seed, then one of means an arm. Nothing else should run
on the machine meanwhile.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from components.evaluate.photographs import evaluate_photographs
from dataset_tools.draw import draw_dataset
from dataset_tools.record import record
from sub_module.engine.config import load_config
from sub_module.engine.evaluate import evaluate
from sub_module.engine.train import train
from sub_module.export.onnx import export
from sub_module.export.runtime import SETTINGS_FILE, OnnxDetector
from sub_module.plates import PlateStandard

Config = dict[str, Any]
NUM_TEST_IMAGES = 400
TEST_SEED = 777
CONFIG = "plate_training_eu"


def _no_furniture(config: Config) -> None:
    for layout in config["plates"]["layouts"]:
        layout["furniture"] = {}


def _fonts_only(config: Config) -> None:
    config["dataset"]["draw"]["strokes"] = 0.0


def _no_cars(config: Config) -> None:
    config["dataset"]["draw"]["cars"] = 0.0


# How an arm's data differ from the whole.
DATA_ARMS: dict[str, Callable[[Config], None]] = {
    "all parts": lambda _: None,
    "no furniture": _no_furniture,
    "fonts in place of the stroke alphabet": _fonts_only,
    "no cars": _no_cars,
}
# How the reading of the model with all parts differs.
READING_ARMS: dict[str, Config] = {
    "no refiner's moves": {"num_refinements": 0, "min_plate": 0.0},
    "one refinement": {"num_refinements": 1},
    "one look, no vote": {"margins": [0.0], "min_agreeing": 1},
    "no grammar": {"follows_grammar": 0.0},
}


def main() -> None:
    """Train and measure every arm."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--images", type=int, default=4000, help="drawn for each training")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--photographs", type=Path, help="as `evaluate` takes them")
    arguments = parser.parse_args()
    rows: dict[str, list[list[float]]] = {}
    columns = ["drawn, exact", *(["recall", "exact, O = 0"] if arguments.photographs else [])]
    print(f"| arm | seed | {' | '.join(columns)} |\n|{'---|' * (2 + len(columns))}")
    for seed in range(1, 1 + arguments.seeds):
        with tempfile.TemporaryDirectory() as folder:
            for arm, figures in _arms(Path(folder), seed, arguments):
                rows.setdefault(arm, []).append(figures)
                print(f"| {arm} | {seed} | {_percent(figures)} |", flush=True)
    print(f"\n| mean of {arguments.seeds} | | {' | '.join(columns)} |")
    for arm, found in rows.items():
        print(f"| {arm} | | {_percent([statistics.mean(c) for c in zip(*found, strict=True)])} |")


def _arms(
    folder: Path, seed: int, arguments: argparse.Namespace
) -> Iterator[tuple[str, list[float]]]:
    test_set = _data_set(folder / "test", load_config(CONFIG), NUM_TEST_IMAGES, TEST_SEED + seed)
    for number, (arm, change) in enumerate(DATA_ARMS.items()):
        config = load_config(CONFIG)
        change(config)
        config["train"].update(max_epochs=arguments.epochs, seed=seed)
        training_set = _data_set(folder / f"set-{number}", config, arguments.images, seed)
        result = train(config, training_set, folder / f"work-{number}")
        model = folder / f"model-{number}"
        export(result.candidates[0], model)
        yield arm, _figures(model, test_set, arguments.photographs)
    whole = json.loads((folder / "model-0" / SETTINGS_FILE).read_text())
    for arm, settings in READING_ARMS.items():
        changed = {**whole, "model": {**whole["model"]}}
        changed["model"]["reading"] = {**whole["model"]["reading"], **settings}
        (folder / "model-0" / SETTINGS_FILE).write_text(json.dumps(changed))
        yield arm, _figures(folder / "model-0", test_set, arguments.photographs)


def _data_set(folder: Path, config: Config, num_images: int, seed: int) -> Path:
    dataset = config["dataset"]
    standard = PlateStandard.from_config(config["plates"])
    drawn, recorded = folder / "drawn", folder / "set"
    draw_dataset(drawn, num_images, seed, standard, dataset["draw"], dataset["split"])
    record(drawn, recorded, standard, dataset)
    return recorded


def _figures(model: Path, test_set: Path, photographs: Path | None) -> list[float]:
    detector = OnnxDetector(model)
    figures = [evaluate(detector, test_set / "train.json").EIR]
    if photographs is not None:
        scores = evaluate_photographs(detector, photographs).scores.estimates
        figures += [e.value if e else 0.0 for e in (scores["recall"], scores["exact_o0"])]
    return figures


def _percent(figures: list[float]) -> str:
    return " | ".join(f"{100 * figure:.1f}" for figure in figures)


if __name__ == "__main__":
    main()
