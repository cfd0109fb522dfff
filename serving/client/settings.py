"""What `configs/serving/client.py` says, checked."""

from __future__ import annotations

from typing import Annotated, Any

import httpx
from pydantic import AfterValidator, Field

from serving.settings import Count, ModelName, Part, Positive, load_settings

_LAST_PORT = 65535


def _http_url(text: str) -> str:
    if not text.lower().startswith(("http://", "https://")):
        raise ValueError("a URL begins with http:// or https://")
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL as error:
        raise ValueError(f"no URL ({error})") from error
    # A path goes before the server's own; a query would end up behind it.
    is_whole = url.host and not url.query and not url.fragment
    if not is_whole or (url.port or 0) > _LAST_PORT:
        raise ValueError("no URL such as http://127.0.0.1:8080")
    return text.rstrip("/")


class ClientSettings(Part):
    """The whole config; what each field means stands there."""

    url: Annotated[str, AfterValidator(_http_url)]
    model_name: ModelName
    # It must fit beside the image.
    standard: Annotated[str, Field(min_length=1, max_length=100)] | None
    concurrent: Count
    # Below, not even a thumbnail fits.
    max_payload_megabytes: Annotated[float, Field(ge=0.02)]
    jpeg_quality: Annotated[int, Field(ge=1, le=100, strict=True)]
    answer_seconds: Positive
    patience_seconds: Annotated[float, Field(ge=0)]


def client_settings(overrides: dict[str, Any] | None = None) -> ClientSettings:
    """The settings of `configs/serving/client.py`; see `load_settings`."""
    return load_settings("client", ClientSettings, overrides)
