"""Lists: filters, orders and pages as the server's database makes them."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import unquote_plus

from tests.servers.kfp.answers import invalid

Row = TypeVar("Row")

_DEFAULT_PAGE = 20
_MAX_PAGE = 200
_OPERATIONS = (
    "OPERATION_UNSPECIFIED",
    "EQUALS",
    "NOT_EQUALS",
    "GREATER_THAN",
    "",
    "GREATER_THAN_EQUALS",
    "LESS_THAN",
    "LESS_THAN_EQUALS",
    "IN",
    "IS_SUBSTRING",
)
_VALUES = {
    "int_value", "long_value", "string_value", "timestamp_value",
    "int_values", "long_values", "string_values",
}  # fmt: skip
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "EQUALS": lambda left, right: left == right,
    "NOT_EQUALS": lambda left, right: left != right,
    "GREATER_THAN": lambda left, right: left > right,
    "GREATER_THAN_EQUALS": lambda left, right: left >= right,
    "LESS_THAN": lambda left, right: left < right,
    "LESS_THAN_EQUALS": lambda left, right: left <= right,
}


def folded(value: Any) -> Any:
    """As the database compares: MySQL's usual collation knows neither case nor trailing blanks."""
    return value.casefold().rstrip(" ") if isinstance(value, str) else value


def page(
    rows: Sequence[Row], query: Mapping[str, str], fields: Mapping[str, str], key: str = "id"
) -> tuple[list[Row], int, str]:
    """One page of a list.

    Args:
        rows: All that the list could hold.
        query: `page_size`, `page_token`, `sort_by`, `filter`; all may be missing.
        fields: What can be sorted and filtered by: the API's name -> the row's.
        key: Orders what is otherwise equal.

    Returns:
        The rows, how many there are on all pages, and the token of the next page or "".

    Raises:
        RefusedError: The query cannot be understood.
    """
    size = _page_size(query.get("page_size", ""))
    order = _order(query.get("sort_by", ""), fields)
    predicates = _predicates(query.get("filter", ""), fields)
    token = _token(query.get("page_token", ""))
    if token:
        # With a token, what the first page asked for is known.
        asked = (list(order), predicates)
        known = (token["order"], token["predicates"])
        if (query.get("sort_by") or query.get("filter")) and asked != known:
            raise invalid(
                "page token does not match the supplied sort by and/or filtering criteria. Either "
                "specify the same criteria or leave the latter empty if page token is specified"
            )
        order, predicates = token["order"], token["predicates"]
    name, descends = order

    def place(row: Row) -> list[Any]:
        return [folded(getattr(row, name)), getattr(row, key)]

    matching = [row for row in rows if all(_holds(row, each) for each in predicates)]
    ordered = sorted(matching, key=place, reverse=descends)
    if token:
        start = token["start"]
        ordered = [
            row for row in ordered if (place(row) <= start if descends else place(row) >= start)
        ]
    following = ""
    if len(ordered) > size:
        said = {"order": list(order), "predicates": predicates, "start": place(ordered[size])}
        following = base64.b64encode(json.dumps(said).encode()).decode()
    return ordered[:size], len(matching), following


def _page_size(text: str) -> int:
    size = int(text or 0)
    if size < 0:
        raise invalid(f"The page size should be greater than 0. Got {size}")
    return min(size or _DEFAULT_PAGE, _MAX_PAGE)


def _token(text: str) -> dict[str, Any]:
    if not text:
        return {}
    try:
        decoded = json.loads(base64.b64decode(text, validate=True))
        return {name: decoded[name] for name in ("order", "predicates", "start")}
    except (ValueError, TypeError, KeyError) as error:
        raise invalid("Invalid page token") from error


def _order(text: str, fields: Mapping[str, str]) -> tuple[str, bool]:
    words = text.lower().split()
    if len(words) > 2 or (len(words) == 2 and words[1] not in {"asc", "desc"}):
        raise invalid(
            f'Received invalid sort by format "{text}". Supported format: "field_name", '
            '"field_name desc", or "field_name asc"'
        )
    if not words:
        return "created_at", False
    if words[0] not in fields:
        raise invalid(f'Invalid sorting field: "{words[0]}" on listable type')
    return fields[words[0]], words[1:] == ["desc"]


def _predicates(text: str, fields: Mapping[str, str]) -> list[list[Any]]:
    """Field, operation, value of each predicate."""
    if not text:
        return []
    # The server decodes a second time what the web server has decoded: `+` and `%` are no letters.
    decoded = unquote_plus(text)
    try:
        loaded = json.loads(decoded)
        if not isinstance(loaded, dict) or set(loaded) - {"predicates"}:
            raise ValueError(f"unknown field in {decoded}")
        return [_predicate(each, fields) for each in loaded.get("predicates", [])]
    except (ValueError, TypeError, AttributeError, IndexError) as error:
        raise invalid(f"failed to parse valid filter from {json.dumps(text)}: {error}") from error


def _predicate(given: Mapping[str, Any], fields: Mapping[str, str]) -> list[Any]:
    snake = {re.sub("[A-Z]", lambda c: "_" + c[0].lower(), k): v for k, v in given.items()}
    values = {name: snake.pop(name) for name in list(snake) if name in _VALUES}
    operation, key = snake.pop("operation", 0), snake.pop("key", "")
    if snake or len(values) != 1:
        raise ValueError(f"unknown field or no single value in {dict(given)}")
    if isinstance(operation, int):
        operation = _OPERATIONS[operation]
    if operation not in _OPERATIONS[1:] or not operation:
        raise invalid(f"invalid predicate operation: {operation}")
    if not key:
        raise invalid(f"Predicate key cannot be empty for operation {operation}")
    if key not in fields:
        raise invalid(f'no support for filtering on unrecognized field "{key}"')
    ((kind, value),) = values.items()
    if (operation == "IN") != kind.endswith("_values"):
        raise invalid(f"cannot use operator {operation} with {kind}")
    if operation == "IS_SUBSTRING" and kind != "string_value":
        raise invalid(f"cannot use non string value type with operator {operation}")
    return [fields[key], operation, _value(kind, value)]


def _value(kind: str, value: Any) -> Any:
    if kind.endswith("_values"):
        return [_value(kind.removesuffix("s"), each) for each in value.get("values", [])]
    if kind == "timestamp_value":
        return int(datetime.fromisoformat(value).timestamp())
    if kind == "string_value":
        if not isinstance(value, str):
            raise ValueError(f"invalid value for string type: {value}")
        return folded(value)
    return int(value)


def _holds(row: Any, predicate: list[Any]) -> bool:
    name, operation, value = predicate
    held = folded(getattr(row, name))
    if operation == "IN":
        return held in value
    if operation == "IS_SUBSTRING":
        # SQL's LIKE: the value's own % and _ stand for any characters and any one.
        wild = {"%": ".*", "_": "."}
        pattern = "".join(wild.get(c) or re.escape(c) for c in value)
        return re.search(pattern, str(held), re.DOTALL) is not None
    return _COMPARE[operation](held, value)
