"""A user's own Experiment, whose trials are a script that takes milliseconds."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import yaml

from katib.experiment import render

# The best is lr 2e-3 with weight_decay 0: 0.9. `MODE` in the trial's environment spoils it.
SCRIPT = """
import os, sys, time
values = dict(word.split("=", 1) for word in sys.argv[1:] if "=" in word)
lr, decay = float(values["train.lr"]), float(values["train.weight_decay"])
mode = os.environ.get("MODE", "")
if mode.startswith("crash") and (mode == "crash" or values["train.lr"] == mode[6:]):
    sys.exit("the GPU fell off")
for step in range(1, 4):
    if mode != "mute":
        value = 0.9 * step / 3 - abs(lr - 2e-3) * 50 - decay
        print(f"step {step} loss=0.5 mAP={value:.4f} EIR={step / 10}", flush=True)
    time.sleep(float(os.environ.get("PAUSE", "0")))
"""


def own_experiment(folder: Path, **spec: Any) -> dict[str, Any]:
    """The Experiment as data; its script is written to the folder.

    Args:
        folder: For the script.
        spec: Fields of `spec` to replace; None removes one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    script = folder / "script.py"
    script.write_text(SCRIPT)
    data: dict[str, Any] = yaml.safe_load(
        render("tune_platenet", {"search.name": "own", "search.max_trials": 6})
    )
    parameters = data["spec"]["parameters"]
    data["spec"]["parameters"] = [p for p in parameters if p["name"] != "crop_jitter"]
    template = data["spec"]["trialTemplate"]
    template["trialParameters"] = [
        p for p in template["trialParameters"] if p["name"] in ("lr", "weight_decay")
    ]
    container_of(data)["command"] = [
        "python3",
        str(script),
        "--set",
        "train.lr=${trialParameters.lr}",
        "--set",
        "train.weight_decay=${trialParameters.weight_decay}",
    ]
    data["spec"].update(copy.deepcopy(spec))
    data["spec"] = {name: value for name, value in data["spec"].items() if value is not None}
    return data


def container_of(data: dict[str, Any]) -> dict[str, Any]:
    """The trial's container."""
    job = data["spec"]["trialTemplate"]["trialSpec"]
    container: dict[str, Any] = job["spec"]["template"]["spec"]["containers"][0]
    return container


def write(folder: Path, data: Any) -> Path:
    """The data as a YAML file."""
    file = folder / "experiment.yaml"
    file.write_text(yaml.safe_dump(data))
    return file
