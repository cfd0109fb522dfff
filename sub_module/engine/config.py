"""Pipeline configs: loaded by name or file, made plain data, changed by checked overrides."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Container, Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import yaml

from sub_module.errors import ConfigError

_CONFIGS = Path(__file__).resolve().parents[2] / "configs"
_KINDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    list: "a list",
    dict: "a table of keys",
}
# Checked as a whole by schemas of their own, `cluster.settings` and those of `serving/`: there null
# may be a value.
_TABLE_WITH_SCHEMA, _KIND_WITH_SCHEMA = "cluster", "serving"


def load_config(
    config: str | Mapping[str, Any],
    overrides: Mapping[str, Any] | None = None,
    kind: str = "pipelines",
) -> dict[str, Any]:
    """Load a config as plain data: what JSON can hold, classes as dotted names.

    Args:
        config: `plate_training` is `configs/pipelines/plate_training.py`; else the path of a
            `.py` config or of a `.json` snapshot, or the plain data themselves.
        overrides: Dotted key to new value, such as `{"train.max_epochs": 3}`. Where the config has
            an empty table, any key may be added, dots and all.
        kind: The folder of `configs/` that names are looked up in.

    Raises:
        ConfigError: There is no such config, it cannot be read, or an override does not fit it.
    """
    loaded = _load(config, kind) if isinstance(config, str) else deepcopy(dict(config))
    free = {key for key, value in _items(loaded) if value == {}}
    for key, value in (overrides or {}).items():
        _override(loaded, key, value, free, has_schema=kind == _KIND_WITH_SCHEMA)
    return loaded


def load_pipeline_config(config: str, *parts: str) -> dict[str, Any]:
    """`load_config` of a pipeline config that is to have some parts.

    Args:
        config: See `load_config`.
        parts: Their dotted keys, such as `dataset.draw`.

    Raises:
        ConfigError: As `load_config` says; or it has no such part.
    """
    loaded = load_config(config)
    for part in parts:
        table: Any = loaded
        names = part.split(".")
        for count, name in enumerate(names, 1):
            if not isinstance(table, dict) or name not in table:
                missing = ".".join(names[:count])
                raise ConfigError(f"{config}: no pipeline config: it has no `{missing}`")
            table = table[name]
    return loaded


def _load(name_or_path: str, kind: str) -> dict[str, Any]:
    path = _find(name_or_path, kind)
    try:
        return _read(path)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror or error}") from error
    except Exception as error:  # a config is a program: it fails as it likes
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ConfigError(f"{path}: not a usable config: {reason}") from error


def parse_overrides(pairs: list[str]) -> dict[str, Any]:
    """`["train.max_epochs=3"]` as `{"train.max_epochs": 3}`; values are YAML.

    Raises:
        ConfigError: A pair is no `KEY=VALUE`, or its value is no YAML, or none that JSON can hold.
    """
    overrides = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals or not key.strip():
            raise ConfigError(f"--set {pair}: expected KEY=VALUE, such as train.max_epochs=3")
        try:
            value = _number(yaml.safe_load(text))
        except (yaml.YAMLError, ValueError) as error:
            # A ValueError is a date that does not exist.
            raise ConfigError(f"--set {pair}: the value is not YAML; quote text") from error
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise ConfigError(
                f"--set {pair}: YAML reads a {type(value).__name__} that no config can hold; if it "
                f"is meant as text, quote it: --set '{key}=\"{text}\"'"
            ) from error
        overrides[key.strip()] = value
    return overrides


def _find(name_or_path: str, kind: str) -> Path:
    path = Path(name_or_path)
    if path.suffix in (".py", ".json"):
        if not path.is_file():
            raise ConfigError(f"{path}: there is no such config file")
        return path
    names = sorted(file.stem for file in (_CONFIGS / kind).glob("[!_]*.py"))
    if name_or_path not in names:
        raise ConfigError(
            f"config {name_or_path!r} is neither a .py or .json file nor one of: {', '.join(names)}"
        )
    return _CONFIGS / kind / f"{name_or_path}.py"


def _read(path: Path) -> dict[str, Any]:
    if path.suffix == ".json":
        config = json.loads(path.read_text(encoding="utf-8"))
    else:
        # Half a second, which a command line that reads no config need not wait for.
        from mmengine.config import Config

        config = Config.fromfile(path, lazy_import=True).to_dict()
    if not isinstance(config, dict):
        raise ValueError("it is no table of keys")
    # A leading underscore marks a config's own variables; JSON turns tuples into lists.
    public = {key: value for key, value in config.items() if not key.startswith("_")}
    return json.loads(json.dumps(public))  # type: ignore[no-any-return]


def _number(value: Any) -> Any:
    # YAML 1.1 reads 1e-3 as text.
    if isinstance(value, str) and re.fullmatch(r"[-+]?\d+(\.\d*)?e[-+]?\d+", value, re.IGNORECASE):
        return float(value)
    return value


def _override(
    config: dict[str, Any], key: str, value: Any, free: Container[str], *, has_schema: bool
) -> None:
    table: Any = config
    *parents, last = _parts(key, free)
    for parent in parents:
        table = table.get(parent) if isinstance(table, dict) else None
    if isinstance(table, dict) and ".".join(parents) in free:
        table[last] = value
        return
    if not isinstance(table, dict) or last not in table:
        known = [known for known, _ in _items(config)]
        near = difflib.get_close_matches(key, known, n=1, cutoff=0)
        raise ConfigError(f"unknown key {key!r}; the nearest is {near[0] if near else 'none'}")
    if isinstance(table[last], dict):
        if not isinstance(value, Mapping):
            example = next((f".{child}" for child in table[last]), "")
            raise ConfigError(f"{key}: holds further keys; set one of them, such as {key}{example}")
        for child, child_value in value.items():
            _override(config, f"{key}.{child}", child_value, free, has_schema=has_schema)
        return
    has_schema = has_schema or parents[:1] == [_TABLE_WITH_SCHEMA]
    table[last] = value if has_schema else _fitted(key, table[last], value)


def _parts(key: str, free: Container[str]) -> list[str]:
    """The key's parts; what stands behind a free table is one, such as a label of Kubernetes."""
    parts = key.split(".")
    for count in range(1, len(parts)):
        if ".".join(parts[:count]) in free:
            return [*parts[:count], ".".join(parts[count:])]
    return parts


def _items(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        yield prefix + key, value
        if isinstance(value, dict):
            yield from _items(value, f"{prefix}{key}.")


def _fitted(key: str, old: Any, new: Any) -> Any:
    """`new` in the type of `old`; KFP hands every whole number on as a float."""
    if isinstance(new, float) and new.is_integer() and (old is None or type(old) is int):
        return int(new)
    if old is None:
        return new
    if type(old) is float and type(new) is int:
        return float(new)
    if type(new) is not type(old):
        raise ConfigError(f"{key}: expected {_KINDS[type(old)]}, got {json.dumps(new)}")
    if isinstance(old, list) and old:
        return [_fitted(key, old[0], item) for item in new]
    return new
