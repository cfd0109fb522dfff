"""How a run on a cluster gets its config and overrides: not from a file of the volume."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sub_module.errors import ConfigError
from sub_module.files import read_json
from sub_module.settings import Settings

# The word for the config that travels inside the version, and the variable that it is in, as JSON.
COMPILED = "compiled"
CONFIG_VARIABLE = "PLATEFLOW_CONFIG"
# The only key of overrides that are elsewhere; its value is their name in the store, or their path
# on the volume.
IN_STORE, ON_VOLUME = "@store", "@volume"


def as_variable(config: Mapping[str, Any]) -> str:
    """A config as the variable holds it: JSON in which a cluster finds nothing to fill in."""
    # Kubernetes fills in $(...), Katib ${...}, Argo {{...}}; all of that can only be in texts.
    return json.dumps(config).replace("$", "\\u0024").replace("{{", "\\u007b\\u007b")


def compiled_config() -> dict[str, Any]:
    """The config that this version was uploaded with.

    Raises:
        ConfigError: There is none in the environment.
    """
    try:
        config = json.loads(os.environ[CONFIG_VARIABLE])
    except (KeyError, ValueError) as error:
        raise ConfigError(f"{CONFIG_VARIABLE} holds no config: {error!r}") from error
    if not isinstance(config, dict):
        raise ConfigError(f"{CONFIG_VARIABLE} holds no config: it is no table of keys")
    # `cluster` is for whoever starts a run.
    return {key: value for key, value in config.items() if key != "cluster"}


def given_overrides(overrides: Mapping[str, Any], volume: Path) -> dict[str, Any]:
    """The overrides themselves, fetched from the store or the volume where they are there.

    Raises:
        ConfigError: What is there are no overrides.
        DataError: The file on the volume is damaged.
        StoreError: The store cannot be read, or does not have them.
    """
    if ON_VOLUME in overrides:
        name = str(overrides[ON_VOLUME])
        return _checked(name, read_json(volume / name))
    if IN_STORE not in overrides:
        return dict(overrides)
    # A second that most runs need not wait for.
    from dataset_tools.store import open_store

    name = str(overrides[IN_STORE])
    with tempfile.TemporaryDirectory() as temporary:
        file = Path(temporary, "overrides.json")
        open_store(Settings(home=volume)).get(name, file)
        return _checked(name, read_json(file))


def _checked(name: str, found: Any) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise ConfigError(f"{name}: expected config keys and values")
    return found
