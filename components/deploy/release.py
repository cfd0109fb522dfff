"""Export of a run's checkpoint."""

from __future__ import annotations

from pathlib import Path

from components.evaluate.calibration import calibrate_exported, read_calibration
from components.step import Step
from sub_module.errors import ModelError
from sub_module.export.agreement import check_same_readings
from sub_module.export.onnx import export
from sub_module.export.variants import add_variant


def export_checked(step: Step, checkpoint: Path, val: Path) -> tuple[Path, float]:
    """Export into the step's folder and compare with the checkpoint on the images of `val`.

    Its scores are corrected as the evaluate step found (`evaluate.calibrate`).
    The precisions of `deploy.variants` are added; one that reads worse there is left out.

    Returns:
        The exported model, and the share of images that it reads otherwise.

    Raises:
        ModelError: That share is above `deploy.max_different`.
    """
    exported = step.empty_folder() / "model"
    export(checkpoint, exported)
    calibration = read_calibration(step.run_dir)
    if calibration is not None and not calibrate_exported(exported, calibration):
        print("deployed without calibration: the model has no setting reading.calibration")
    allowed = step.config["deploy"]["max_different"]
    different = check_same_readings(checkpoint, exported, val, allowed, step.progress)
    _add_variants(step, exported, val)
    return exported, different


def _add_variants(step: Step, exported: Path, val: Path) -> None:
    settings = step.config["deploy"]
    # Not the images that EIR is measured on.
    calibration = val.with_name("train.json")
    for precision in settings["variants"]:
        allowed = settings["max_eir_loss"]
        try:
            add_variant(exported, precision, calibration, val, allowed, step.progress)
        except ModelError as error:
            print(f"deployed without {precision}: {error}")
