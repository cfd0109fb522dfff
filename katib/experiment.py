"""The Experiment of a config's `search`, as Katib takes it.

`python -m katib.experiment > katib/experiment.yaml` renews the committed one;
`python -m katib.experiment CONFIG` prints another config's.
"""

from __future__ import annotations

import math
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2

from cluster.api import LABELS
from cluster.settings import cluster_of
from katib.pod import pod_values
from sub_module.engine.config import load_config
from sub_module.errors import ConfigError
from sub_module.settings import Settings

COMMITTED = Path(__file__).with_name("experiment.yaml")
COMMITTED_CONFIG = "tune_mask_rcnn"
_TEMPLATE = "experiment.yaml.j2"
# Katib's settings of hyperband, and what the config calls them.
_HYPERBAND = {"resource_name": "name", "r_l": "max", "eta": "eta"}
# The algorithms that Katib refuses `random_state` for.
_UNSEEDED = ("sobol", "hyperband")


def render(config: str, overrides: Mapping[str, Any] | None = None) -> str:
    """The Experiment's YAML, in the namespace of the settings.

    Args:
        config: A pipeline config with a `search` and a `cluster`: its name, or a file.
        overrides: Dotted key to value, of `search` and `cluster` too.

    Raises:
        ConfigError: There is no such config, an override does not fit, or nothing is searched.
    """
    loaded = load_config(config, overrides)
    search = loaded.get("search")
    if not search or not search["parameters"]:
        raise ConfigError(
            f"config {config}: it has no `search` with parameters; see configs/pipelines/tune_*.py"
        )
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    )
    environment.filters["quote"] = shlex.quote
    return environment.get_template(_TEMPLATE).render(
        **_values(config, search),
        **pod_values(cluster_of(loaded)),
        namespace=Settings().namespace,
        labels=LABELS,
    )


def _values(config: str, search: Mapping[str, Any]) -> dict[str, Any]:
    """What the template is filled with."""
    algorithm = search["algorithm"]
    settings: dict[str, Any] = {} if algorithm in _UNSEEDED else {"random_state": search["seed"]}
    keys = {name: parameter["key"] for name, parameter in search["parameters"].items()}
    resource, parallel = None, search["parallel_trials"]
    if algorithm == "hyperband":
        resource = search["hyperband"]
        keys[resource["name"]] = resource["key"]
        settings = {key: resource[name] for key, name in _HYPERBAND.items()}
        # Katib's hyperband refuses less than the first round's trials at once.
        rounds = int(math.log(resource["max"]) / math.log(resource["eta"]))
        parallel = max(parallel, math.ceil(resource["eta"] ** rounds))
    most = search["max_trials"]
    return {
        **search,
        # Katib refuses an objective that is looked at besides, too.
        "additional": [name for name in search["additional"] if name != search["objective"]],
        "config": config,
        "settings": settings,
        "keys": keys,
        "resource": resource,
        "parallel_trials": min(parallel, most),
        "max_failed_trials": min(search["max_failed_trials"], most),
    }


if __name__ == "__main__":
    print(render(sys.argv[1] if len(sys.argv) > 1 else COMMITTED_CONFIG), end="")
