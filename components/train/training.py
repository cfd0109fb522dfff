"""A run's training."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

from components.step import Result, Step
from components.user_data import weight_files
from sub_module.engine.train import train


def train_candidates(step: Step, training_set: Path) -> Result:
    """Train the run's config on a recorded set; the output is `candidates`.

    Raises:
        PlateflowError: See `sub_module.engine.train.train`.
    """
    config = deepcopy(step.config)
    for key, file in weight_files(config, step.volume).items():
        config["train"][key.split(".")[1]] = str(file)
    result = train(config, training_set, step.folder, step.progress)
    candidates = step.write_paths("candidates", result.candidates)
    return Result({"candidates": candidates}, result.metrics, result.stop_reason)
