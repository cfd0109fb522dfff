"""Whether a model may replace the one in use."""

from __future__ import annotations

from pathlib import Path

from components.step import Step
from sub_module.engine.evaluate import evaluate
from sub_module.engine.infer import load_detector
from sub_module.errors import PlateflowError, RunError


def check_eir(step: Step, exported: Path, test_set: Path) -> dict[str, float]:
    """Measure the exported model and the one in use on the same test images.

    A model in use that cannot read these images (of another plate standard, or damaged) is no bar.

    Returns:
        `EIR`, and `EIR_in_use` when there was a model to compare with.

    Raises:
        RunError: The EIR is below `deploy.min_eir`, or below the other's by more than
            `deploy.tolerance`.
    """
    settings = step.config["deploy"]
    eir = evaluate(load_detector(exported), test_set, step.progress).EIR
    in_use = _eir_in_use(step, test_set)
    refusal = refusal_of(eir, in_use, settings["min_eir"], settings["tolerance"])
    if refusal:
        raise RunError(f"not deployed: {refusal}; the model is {exported}")
    return {"EIR": eir} if in_use is None else {"EIR": eir, "EIR_in_use": in_use}


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


def _eir_in_use(step: Step, test_set: Path) -> float | None:
    current = step.volume / "models" / "current"
    if not current.exists():
        return None
    try:
        return evaluate(load_detector(current), test_set, step.progress).EIR
    except PlateflowError as error:
        print(f"the model in use is not compared with: {error}")
        return None
