"""The models that come with Plateflow, and which model to read a standard's plates with."""

from __future__ import annotations

from pathlib import Path

from sub_module.engine.infer import SHIPPED_MODEL, Detector, load_detector, model_in_use
from sub_module.errors import ModelError
from sub_module.export.runtime import FLOAT32, SETTINGS_FILE, read_settings
from sub_module.models.reader import what_is_missing
from sub_module.plates import PlateStandard
from sub_module.plates.standards import load_standard

# Asked in this order.
SHIPPED_MODELS = tuple(
    model
    for model in (SHIPPED_MODEL, SHIPPED_MODEL.with_name("platenet-eu"))
    if (model / SETTINGS_FILE).is_file()
)


def model_for(home: Path, standard: PlateStandard) -> Path:
    """The model to read a standard's plates with when none is named.

    That is the deployed one if it can read them; else, of those that ship, the first that was
    trained for this standard, else the first that can read it.

    Args:
        home: `PLATEFLOW_HOME`.
        standard: The plates to read.

    Raises:
        ModelError: No model can, or the deployed one is damaged.
    """
    deployed = model_in_use(home)
    is_shipped = deployed == SHIPPED_MODEL
    models = SHIPPED_MODELS if is_shipped else (deployed, *SHIPPED_MODELS)
    able, reasons = [], []
    for model in models:
        trained = _trained_for(model)
        missing = what_is_missing(trained, standard)
        if missing is not None:
            reasons.append(f"{model.name}: {missing}")
        elif model == deployed and not is_shipped:
            return deployed
        else:
            able.append((trained.name != standard.name, model))
    if not able:
        raise ModelError(
            f"no model here reads plates of the standard {standard.name} ({'; '.join(reasons)}); "
            "train one, or name one by --model"
        )
    # Of equals, the first: `min` keeps their order.
    return min(able, key=lambda entry: entry[0])[1]


def open_detector(
    home: Path, model: Path | None, standard: str | None, precision: str = FLOAT32
) -> Detector:
    """The model that a command reads with.

    Args:
        home: `PLATEFLOW_HOME`.
        model: See `load_detector`; None: the model in use, or the one for the standard.
        standard: See `load_standard`; None: the plates that the model was trained for.
        precision: See `load_detector`.

    Raises:
        ConfigError: There is no such standard.
        ModelError: There is no such model, or it cannot read this standard's plates.
    """
    path, plates = model_to_open(home, model, standard)
    return load_detector(path, precision=precision, standard=plates)


def model_to_open(
    home: Path, model: Path | None, standard: str | None
) -> tuple[Path, PlateStandard | None]:
    """The model to read with, and the plates to read; the latter None: what it was trained for.

    Args and Raises: as of `open_detector`, but that nothing is loaded yet.
    """
    if standard is None:
        return model or model_in_use(home), None
    plates = load_standard(standard)
    return model or model_for(home, plates), plates


def _trained_for(model: Path) -> PlateStandard:
    """The plates that an exported model was trained for."""
    return PlateStandard.from_config(read_settings(model)["standard"])
