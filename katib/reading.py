"""An Experiment from its YAML."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from katib.spec import Experiment
from sub_module.errors import ConfigError


def parse_experiment(text: str, origin: str | Path) -> tuple[dict[str, Any], Experiment]:
    """An Experiment's YAML, as plain data and as what is read of it.

    Args:
        text: The YAML.
        origin: The file, for messages.

    Raises:
        ConfigError: It is no Experiment that can be run; the message names file and field.
    """
    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark else ""
        reason = getattr(error, "problem", None) or "cannot be parsed"
        raise ConfigError(f"{origin}: not YAML: {where}{reason}") from error
    if not isinstance(data, dict) or data.get("kind") != "Experiment":
        kind = data.get("kind") if isinstance(data, dict) else None
        found = f"kind is {kind!r}" if kind else "it has no `kind: Experiment`"
        raise ConfigError(f"{origin}: no Katib Experiment: {found}")
    return data, checked(data, origin)


def checked(data: Mapping[str, Any], origin: str | Path) -> Experiment:
    """What is read of an Experiment that is plain data already.

    Args:
        data: The Experiment.
        origin: Where it comes from, for messages.

    Raises:
        ConfigError: It cannot be run; the message names the field.
    """
    try:
        return Experiment.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"])) or "it"
        reason = first["msg"].removeprefix("Value error, ")
        raise ConfigError(f"{origin}: {field}: {reason}") from error


def read_experiment(file: Path) -> tuple[dict[str, Any], Experiment]:
    """`parse_experiment` of a file.

    Raises:
        ConfigError: The file cannot be read, or as `parse_experiment` says.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"{file}: cannot be read: {reason}") from error
    return parse_experiment(text, file)
