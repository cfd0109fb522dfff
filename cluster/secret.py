"""The Kubernetes secret with what the steps connect with; its values are never shown."""

from __future__ import annotations

import base64
import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dotenv.parser import parse_stream

from cluster.api import LABELS, KubernetesApi
from sub_module.errors import ClusterError, ConfigError
from sub_module.settings import ServiceAccount, Settings

_PREFIX = "PLATEFLOW_"
# Of this machine, or set for each step by the pipeline; so is whatever logs in to Kubeflow.
_NOT_OF_STEPS = ("home", "namespace", "volume", "service_account", "gateway")
# Of a Google key file; nobody needs them for a token.
_UNUSED = ("client_id", "auth_uri", "auth_provider_x509_cert_url", "client_x509_cert_url")
_CONFLICT, _NUM_TRIES = 409, 4
# Shorter ones are in words.
_SHORTEST_SECRET = 4


def _names() -> tuple[list[str], list[str]]:
    """The environment variables that steps read, and Plateflow's others."""
    of_steps: list[str] = list(ServiceAccount.model_fields)
    others: list[str] = []
    for field in Settings.model_fields:
        is_other = field in _NOT_OF_STEPS or field.startswith("kfp_")
        (others if is_other else of_steps).append(f"{_PREFIX}{field.upper()}")
    return sorted(of_steps), others


_OF_STEPS, _OTHERS = _names()
# Of the model server, and of whoever asks it.
SERVER_TOKEN = f"{_PREFIX}SERVE_TOKEN"
# Environment variable of a step, or of the server, by key in the secret: they are called the same.
STEP_KEYS: Mapping[str, str] = {name: name for name in _OF_STEPS if name != SERVER_TOKEN}
SECRET_KEYS: Mapping[str, str] = {**STEP_KEYS, SERVER_TOKEN: SERVER_TOKEN}


@dataclass(frozen=True)
class Applied:
    """What became of the secret; names of keys, never values.

    Attributes:
        is_new: It was made.
        written: Keys that were not there, or had another value.
        removed: Keys that the file no longer has.
        kept: Keys that Plateflow does not know, left as they were.
    """

    is_new: bool
    written: tuple[str, ...]
    removed: tuple[str, ...]
    kept: tuple[str, ...]


def read_env_file(file: Path) -> dict[str, str]:
    """The values of a file of NAME=value lines, quoted or not, as python-dotenv reads it.

    Raises:
        ConfigError: It cannot be read; a line is no assignment, has no value, stands twice, or
            sets what no step reads. The message never has a value.
    """
    try:
        with file.open(encoding="utf-8-sig") as opened:
            bindings = [each for each in parse_stream(opened) if each.key or each.error]
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is not UTF-8 text"
        raise ConfigError(f"{file}: {reason}") from None
    values: dict[str, str] = {}
    for binding in bindings:
        at = f"{file}:{binding.original.line}"
        if binding.error or not binding.key:
            raise ConfigError(f"{at}: is no NAME=value; a value of several lines needs quotes")
        if binding.key in _UNUSED:
            continue
        if binding.key not in SECRET_KEYS:
            raise ConfigError(f"{at}: {_why_not(binding.key)}")
        if binding.key in values:
            raise ConfigError(f"{at}: {binding.key} stands there twice")
        if not binding.value:
            raise ConfigError(f"{at}: {binding.key} has no value")
        values[binding.key] = binding.value
    if not values:
        raise ConfigError(f"{file}: sets nothing")
    return values


def _why_not(name: str) -> str:
    if name in _OTHERS:
        return f"{name} is for this machine only, no step on the cluster reads it; leave it out"
    near = difflib.get_close_matches(name, SECRET_KEYS, 1, 0.8)
    hint = f"did you mean {near[0]}?" if near else f"known are {' '.join(SECRET_KEYS)}"
    # A line that is no assignment may be a piece of a private key.
    shown = name if name.isidentifier() and len(name) < 40 else "the name"
    return f"{shown} is not known: {hint}"


def apply_secret(api: KubernetesApi, name: str, values: Mapping[str, str]) -> Applied:
    """Make the secret, or bring it to these values; other programs' keys in it stay.

    Raises:
        ClusterError: The cluster refuses, cannot be reached, or has another kind of secret of that
            name.
    """
    try:
        return _applied(api, name, _encoded(values))
    except ClusterError as error:
        raise ClusterError(_without(values, str(error)), error.status) from None


def _applied(api: KubernetesApi, name: str, wanted: dict[str, str]) -> Applied:
    what = f"secret {name}"
    for number in range(1, _NUM_TRIES + 1):
        present, is_new = api.create(
            what,
            api.core.create_namespaced_secret,
            api.core.read_namespaced_secret,
            name=name,
            body=_body(name, wanted),
        )
        data = present.data or {}
        if present.type != "Opaque":
            raise ClusterError(
                f"{what}: there is one of type {present.type} in namespace {api.namespace}; give "
                "another name"
            )
        kept = {key: value for key, value in data.items() if key not in SECRET_KEYS}
        written = tuple(sorted(key for key in wanted if data.get(key) != wanted[key]))
        removed = tuple(sorted(set(data) - set(wanted) - set(kept)))
        if is_new and not written and not removed:
            return Applied(True, tuple(sorted(wanted)), (), tuple(kept))
        if not written and not removed:
            return Applied(False, (), (), tuple(kept))
        body = _body(name, {**kept, **wanted}, present.metadata)
        try:
            api.call(
                what,
                api.core.replace_namespaced_secret,
                name,
                api.namespace,
                body,
                field_validation="Strict",
            )
        except ClusterError as error:
            # Somebody else changed it since: look again.
            if error.status != _CONFLICT or number == _NUM_TRIES:
                raise
        else:
            return Applied(False, written, removed, tuple(kept))
    raise AssertionError


def _body(name: str, data: dict[str, str], known: Any = None) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": name, "labels": LABELS}
    if known is not None:
        metadata["labels"] = {**(known.labels or {}), **LABELS}
        metadata["annotations"] = known.annotations or {}
        # A change since then is a conflict.
        metadata["resourceVersion"] = known.resource_version
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "Opaque",
        "metadata": metadata,
        "data": data,
    }


def _encoded(values: Mapping[str, str]) -> dict[str, str]:
    return {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}


def _without(values: Mapping[str, str], text: str) -> str:
    """A server's message, should it repeat what it was sent."""
    coded = _encoded(values)
    for key, value in values.items():
        if key.startswith(_PREFIX) or key.startswith("private_key"):
            for secret in (coded[key], value, *value.split()):
                if len(secret) >= _SHORTEST_SECRET:
                    text = text.replace(secret, "***")
    return text
