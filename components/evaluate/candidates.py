"""Scoring of candidate models, and the choice among them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from components.step import Step
from sub_module.engine.evaluate import Evaluation, evaluate
from sub_module.engine.infer import load_detector
from sub_module.errors import ConfigError
from sub_module.files import write_json

Scores = dict[str, float]


def best_candidate(step: Step, checkpoints: Sequence[Path], val: Path) -> tuple[Path, Scores]:
    """Score every checkpoint on the COCO file `val`; the best by `evaluate.keys` and its scores.

    All scores are written to `candidates.json` in the step's folder.

    Raises:
        ConfigError: A key names no figure of any candidate, such as dv_mAP without masks.
        ModelError: A checkpoint cannot be used.
    """
    candidates = []
    for checkpoint in checkpoints:
        evaluation = evaluate(load_detector(checkpoint), val, step.progress)
        candidates.append((checkpoint, scores_of(evaluation)))
    best = choose([scores for _, scores in candidates], step.config["evaluate"]["keys"])
    rows = [
        {"checkpoint": str(checkpoint.relative_to(step.volume)), "metrics": scores}
        for checkpoint, scores in candidates
    ]
    write_json(step.folder / "candidates.json", {"candidates": rows, "best": best})
    return candidates[best]


def scores_of(evaluation: Evaluation) -> Scores:
    """The figures by name; one that the model does not have (dv_mAP without masks) is left out."""
    figures = {
        "mAP": evaluation.mAP,
        "dv_mAP": evaluation.dv_mAP,
        "EIR": evaluation.EIR,
        "wrong_share": evaluation.wrong_share,
        "num_images": float(evaluation.num_images),
        "num_plates": float(evaluation.num_plates),
    }
    return {name: value for name, value in figures.items() if value is not None}


def choose(candidates: Sequence[Scores], keys: Sequence[str]) -> int:
    """Index of the candidate with the highest figures; later keys break ties, then the order.

    A candidate without a figure loses to any that has it.

    Raises:
        ConfigError: No candidate has the figure that a key names.
    """
    known = sorted({name for scores in candidates for name in scores})
    for key in keys:
        if key not in known:
            raise ConfigError(f"evaluate.keys: no candidate has {key!r}; there are {known}")
    ranks = [[scores.get(key, float("-inf")) for key in keys] for scores in candidates]
    return ranks.index(max(ranks))
