"""Whether a model may replace the one in use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from components.step import Step
from sub_module.engine.evaluate import evaluate
from sub_module.engine.infer import load_detector
from sub_module.errors import PlateflowError, RunError
from sub_module.export.runtime import read_settings
from sub_module.progress import Progress, silent


def check_eir(step: Step, exported: Path, test_set: Path) -> dict[str, float]:
    """`gate` of a run's step, with the model in use on its volume."""
    in_use = step.volume / "models" / "current"
    return gate(exported, in_use, test_set, step.config["deploy"], step.progress)


def gate(
    exported: Path,
    in_use: Path | None,
    test_set: Path,
    settings: Mapping[str, Any],
    progress: Progress = silent,
    say: Callable[[str], None] = print,
) -> dict[str, float]:
    """Measure the exported model and the one in use on the same test images.

    A model in use that cannot read these images (of another plate standard, or damaged) is no bar.

    Args:
        exported: The model's directory.
        in_use: That of the other one; it need not be there, and None cannot be seen from here.
        test_set: A recorded set, COCO JSON.
        settings: `deploy` of a config.
        progress: Told of images.
        say: Told why the model in use is not compared with, when it is not.

    Returns:
        `EIR`, `EIR_in_use` when there was a model to compare with, and `EIR_int8` and the like of
        each variant that the model has.

    Raises:
        RunError: The EIR is below `deploy.min_eir`, or below the other's by more than
            `deploy.tolerance`.
    """
    eir = evaluate(load_detector(exported), test_set, progress).EIR
    other = _eir_in_use(in_use, test_set, progress, say)
    refusal = refusal_of(eir, other, settings["min_eir"], settings["tolerance"])
    if refusal:
        raise RunError(f"not deployed: {refusal}; the model is {exported}")
    scores = {"EIR": eir} if other is None else {"EIR": eir, "EIR_in_use": other}
    for precision in read_settings(exported).get("variants", {}):
        variant = load_detector(exported, precision=precision)
        scores[f"EIR_{precision}"] = evaluate(variant, test_set, progress).EIR
    return scores


def refusal_of(eir: float, in_use: float | None, min_eir: float, tolerance: float) -> str | None:
    """Why a model with this EIR is refused; None when it may go out.

    Args:
        eir: Of the new model.
        in_use: Of the model in use, on the same images; None: there is none.
        min_eir: The least that any model must reach.
        tolerance: By how much the new one may be worse.
    """
    if eir < min_eir:
        return f"EIR {eir:.3f} is below deploy.min_eir {min_eir:.3f}"
    if in_use is not None and eir < in_use - tolerance:
        return (
            f"EIR {eir:.3f} is below that of the model in use, {in_use:.3f}, "
            f"by more than deploy.tolerance {tolerance:.3f}"
        )
    return None


def _eir_in_use(
    in_use: Path | None, test_set: Path, progress: Progress, say: Callable[[str], None]
) -> float | None:
    if in_use is None:
        reason = "PLATEFLOW_VOLUME does not say where it is"
    elif not in_use.exists():
        reason = f"there is none in {in_use.parent}"
    else:
        try:
            return evaluate(load_detector(in_use), test_set, progress).EIR
        except PlateflowError as error:
            reason = str(error)
    say(f"not compared with the model in use: {reason}")
    return None
