"""Plate standards by name, as `configs/plates/` has them, or by file."""

from __future__ import annotations

from pathlib import Path

from sub_module.engine.config import load_config
from sub_module.errors import ConfigError
from sub_module.plates.standard import PlateStandard

_PLATES = Path(__file__).resolve().parents[2] / "configs" / "plates"


def known_standards() -> list[str]:
    """The names of the standards that come with Plateflow, in alphabetical order."""
    return sorted(file.stem for file in _PLATES.glob("[!_]*.py"))


def load_standard(name_or_file: str) -> PlateStandard:
    """A plate standard.

    Args:
        name_or_file: One of `known_standards`, or a `.py` or `.json` file with a table `plates`,
            as a pipeline's config has it too.

    Raises:
        ConfigError: There is no such standard, or it cannot be used.
    """
    if Path(name_or_file).suffix not in (".py", ".json") and name_or_file not in known_standards():
        raise ConfigError(
            f"plate standard {name_or_file!r} is neither a .py or .json file nor one of: "
            f"{', '.join(known_standards())}"
        )
    plates = load_config(name_or_file, kind="plates").get("plates")
    if not isinstance(plates, dict):
        raise ConfigError(f"{name_or_file}: no plate standard: it has no table `plates`")
    try:
        return PlateStandard.from_config(plates)
    except ConfigError as error:
        raise ConfigError(f"{name_or_file}: {error}") from error
