"""What the configs of `configs/serving/` have in common: how they are loaded and checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sub_module.engine.config import load_config
from sub_module.errors import ConfigError

Count = Annotated[int, Field(ge=1, strict=True)]
Port = Annotated[int, Field(ge=0, le=65535, strict=True)]
# More than none, of any unit.
Positive = Annotated[float, Field(gt=0)]
ModelName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]


class Part(BaseModel):
    """A table of a config."""

    # `extra`: a misspelt field is no field. `frozen`: settings are read, never changed.
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


Settings = TypeVar("Settings", bound=Part)


def load_settings(
    name: str, kind: type[Settings], overrides: Mapping[str, Any] | None = None
) -> Settings:
    """The settings of `configs/serving/<name>.py`.

    Args:
        name: Of the config.
        kind: What it must fit.
        overrides: Dotted key to value, such as `{"engine.precision": "int8"}`.

    Raises:
        ConfigError: A key is unknown, or a value cannot be used; the message names it.
    """
    config = load_config(name, overrides, kind="serving")
    try:
        return kind.model_validate(config)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        reason = first["msg"].removeprefix("Value error, ")
        raise ConfigError(f"{field}: {reason}, got {first['input']!r}") from error
