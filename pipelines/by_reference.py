"""Overrides that are too large for a parameter of Kubeflow Pipelines."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from components.parameters import BY_REFERENCE
from sub_module.errors import RunError
from sub_module.settings import Settings

# The server takes 10,000 bytes of JSON for all parameters of a run together.
_MAX_CHARACTERS = 9_500
# These it writes in six characters each.
_LONGER = "<>&"


def overrides_by_reference(
    overrides: Mapping[str, Any], other_parameters: Mapping[str, Any], settings: Settings
) -> tuple[dict[str, Any], str | None]:
    """The overrides as a run on a cluster gets them: themselves, or where they are in the store.

    Args:
        overrides: Dotted config key to value.
        other_parameters: The run's other parameters, by name.
        settings: Which store.

    Returns:
        The value of the parameter `overrides`, and a line that tells the user; None: they fit.

    Raises:
        RunError: They are too large, and the store is none that a cluster reads.
        StoreError: The store cannot be written.
    """
    text = json.dumps({**other_parameters, "overrides": overrides})
    length = len(text) + sum(5 * text.count(character) for character in _LONGER)
    if length <= _MAX_CHARACTERS:
        return dict(overrides), None
    too_large = f"the overrides take {length:,} characters, more than Kubeflow's parameters hold"
    if not (settings.store or "").startswith("gs://"):
        raise RunError(
            f"{too_large}; set PLATEFLOW_STORE to a gs:// bucket, through which they can go"
        )
    # gcsfs takes more than a second to import.
    from dataset_tools.store import open_store

    content = json.dumps(overrides, sort_keys=True).encode()
    name = f"overrides/{hashlib.sha256(content).hexdigest()}.json"
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        url = open_store(settings).put(Path(file.name), name)
    return {BY_REFERENCE: name}, f"{too_large}: they go through the store, {url}"
