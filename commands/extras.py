"""Libraries that some commands need, and that `make setup` does not install."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sub_module.errors import ConfigError


@contextmanager
def needing(extra: str) -> Iterator[None]:
    """Around what imports the libraries of an extra of pyproject.toml.

    Raises:
        ConfigError: One of them is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise ConfigError(f"{error.name} is not installed: pip install -e '.[{extra}]'") from error
