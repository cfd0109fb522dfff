"""What a cluster's steps get by reference, such as overrides too large for a parameter."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from components.parameters import IN_STORE, ON_VOLUME
from sub_module.errors import RunError
from sub_module.files import reason_of, write_bytes
from sub_module.settings import Settings

# The server takes 10,000 bytes of JSON for all parameters of a run together.
_MAX_CHARACTERS = 9_500
# These it writes in six characters each.
_LONGER = "<>&"


# What to do where there is none.
NO_PLACE = (
    "set PLATEFLOW_STORE to a gs:// bucket, or PLATEFLOW_VOLUME to the directory where the volume "
    "is mounted here"
)


def place_in_reach(settings: Settings) -> Literal["volume", "store"] | None:
    """Where this machine can put what a cluster's steps read; None: there is no such place.

    Raises:
        RunError: The volume is named, and not mounted here.
    """
    if settings.volume is not None:
        if not settings.volume.is_dir():
            raise RunError(f"PLATEFLOW_VOLUME: {settings.volume}: there is no such directory")
        return "volume"
    return "store" if (settings.store or "").startswith("gs://") else None


def overrides_by_reference(
    overrides: Mapping[str, Any], other_parameters: Mapping[str, Any], settings: Settings
) -> tuple[dict[str, Any], str | None]:
    """The overrides as a run on a cluster gets them: themselves, or where they are in the store.

    Args:
        overrides: Dotted config key to value.
        other_parameters: The run's other parameters, by name.
        settings: Which store, and the volume where its directory is mounted here.

    Returns:
        The value of the parameter `overrides`, and a line that tells the user; None: they fit.

    Raises:
        RunError: They are too large, and neither the store is one that a cluster reads nor the
            volume can be written.
        StoreError: The store cannot be written.
    """
    text = json.dumps({**other_parameters, "overrides": overrides})
    length = len(text) + sum(5 * text.count(character) for character in _LONGER)
    if length <= _MAX_CHARACTERS:
        return dict(overrides), None
    too_large = f"the overrides take {length:,} characters, more than Kubeflow's parameters hold"
    place = place_in_reach(settings)
    if place is None:
        raise RunError(f"{too_large}, and the cluster cannot reach this machine; {NO_PLACE}")
    content = json.dumps(overrides, sort_keys=True).encode()
    name = f"overrides/{hashlib.sha256(content).hexdigest()}.json"
    if place == "volume":
        assert settings.volume is not None
        try:
            write_bytes(settings.volume / name, content)
        except OSError as error:
            raise RunError(f"{too_large}, nor does the volume: {reason_of(error)}") from error
        return {ON_VOLUME: name}, f"{too_large}: they go through the volume, {name}"
    # gcsfs takes more than a second to import.
    from dataset_tools.store import open_store

    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        url = open_store(settings).put(Path(file.name), name)
    return {IN_STORE: name}, f"{too_large}: they go through the store, {url}"
