"""What `configs/serving/client.py` says, checked."""

from __future__ import annotations

from typing import Annotated, Any

import httpx
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from sub_module.engine.config import load_config
from sub_module.errors import ConfigError

Seconds = Annotated[float, Field(gt=0)]
_LAST_PORT = 65535


def _http_url(text: str) -> str:
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL as error:
        raise ValueError(f"no URL ({error})") from error
    # A path goes before the server's own; a query would end up behind it.
    is_whole = url.scheme in ("http", "https") and url.host and not url.query and not url.fragment
    if not is_whole or (url.port or 0) > _LAST_PORT:
        raise ValueError("no URL such as http://127.0.0.1:8080")
    return text.rstrip("/")


class ClientSettings(BaseModel):
    """The whole config; what each field means stands there."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    url: Annotated[str, AfterValidator(_http_url)]
    model_name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
    concurrent: Annotated[int, Field(ge=1, strict=True)]
    # Below, not even a thumbnail fits.
    max_payload_megabytes: Annotated[float, Field(ge=0.02)]
    jpeg_quality: Annotated[int, Field(ge=1, le=100, strict=True)]
    answer_seconds: Seconds
    patience_seconds: Annotated[float, Field(ge=0)]


def client_settings(overrides: dict[str, Any] | None = None) -> ClientSettings:
    """The settings of `configs/serving/client.py`.

    Args:
        overrides: Key to value, such as `{"url": "https://plates.example.com"}`.

    Raises:
        ConfigError: A key is unknown, or a value cannot be used; the message names it.
    """
    config = load_config("client", overrides, kind="serving")
    try:
        return ClientSettings.model_validate(config)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        reason = first["msg"].removeprefix("Value error, ")
        raise ConfigError(f"{field}: {reason}, got {first['input']!r}") from error
