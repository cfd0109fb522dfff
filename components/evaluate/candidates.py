"""Scoring of candidate models, and the choice among them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from components.evaluate.checkpoints import described, further_checkpoints
from components.step import Step
from sub_module.engine.evaluate import Evaluation, evaluate
from sub_module.engine.infer import load_detector
from sub_module.errors import ConfigError
from sub_module.files import read_json, write_json

Scores = dict[str, float]


def best_candidate(step: Step, own: Sequence[Path], val: Path) -> tuple[Path, Scores, Evaluation]:
    """Score checkpoints on the COCO file `val` and choose the best by `evaluate.keys`.

    All scores are written to `candidates.json` in the step's folder.

    Args:
        step: Its config names further checkpoints in `evaluate.candidates`.
        own: The run's checkpoints.
        val: What to score on.

    Returns:
        The best checkpoint, its scores, and what they were taken from.

    Raises:
        ConfigError: A key names no figure of any candidate, such as dv_mAP without masks; or the
            further candidates cannot be found.
        ModelError: A checkpoint cannot be used; none has been scored then.
    """
    keys = step.config["evaluate"]["keys"]
    further = further_checkpoints(step.config, step.volume, step.run)
    paths = dict.fromkeys(path.resolve() for path in (*own, *further))
    candidates = described(list(paths), step.standard)
    scores: list[Scores] = []
    best: Evaluation | None = None
    for candidate in candidates:
        evaluation = evaluate(load_detector(candidate.path), val, step.progress)
        scores.append(scores_of(evaluation))
        # Only one is kept: the findings of many candidates would fill the memory.
        if best is None or _rank(scores[-1], keys) > _rank(scores_of(best), keys):
            best = evaluation
    chosen = choose(scores, keys)
    rows = [
        {
            "checkpoint": str(candidate.path.relative_to(step.volume)),
            "family": candidate.family,
            "epoch": candidate.epoch,
            "metrics": figures,
        }
        for candidate, figures in zip(candidates, scores, strict=True)
    ]
    write_json(step.folder / "candidates.json", {"candidates": rows, "best": chosen, "keys": keys})
    assert best is not None  # `choose` refuses an empty list.
    return candidates[chosen].path, scores[chosen], best


def figures_of(step: Step, checkpoints: Sequence[Path]) -> dict[Path, Scores]:
    """What the step's `candidates.json` says of some of the checkpoints that were scored."""
    rows = read_json(step.folder / "candidates.json")["candidates"]
    scores = {step.volume / row["checkpoint"]: row["metrics"] for row in rows}
    return {path: scores[path] for path in (checkpoint.resolve() for checkpoint in checkpoints)}


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
    ranks = [_rank(scores, keys) for scores in candidates]
    return ranks.index(max(ranks))


def _rank(scores: Scores, keys: Sequence[str]) -> list[float]:
    return [scores.get(key, float("-inf")) for key in keys]
