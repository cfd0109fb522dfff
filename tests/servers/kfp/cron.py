"""Cron expressions as the server's parser, robfig/cron 1.2, takes them; seconds come first."""

from __future__ import annotations

import re

_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
# Name, first and last value, words for values.
_FIELDS: tuple[tuple[str, int, int, dict[str, int]], ...] = (
    ("second", 0, 59, {}),
    ("minute", 0, 59, {}),
    ("hour", 0, 23, {}),
    ("day of month", 1, 31, {}),
    ("month", 1, 12, {word: number for number, word in enumerate(_MONTHS, 1)}),
    # 7 is no Sunday.
    ("day of week", 0, 6, {word: number for number, word in enumerate(_DAYS)}),
)
_DESCRIPTORS = {"@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"}


def check_cron(text: str) -> None:
    """Check an expression.

    Five fields are taken too, for the day of week may be missing: then they are not what Unix
    takes them for, but second, minute, hour, day of month, month.

    Raises:
        ValueError: It is none.
    """
    if not text:
        raise ValueError("Empty spec string")
    if text.startswith("@"):
        if text not in _DESCRIPTORS and not re.fullmatch(r"@every \d+(\.\d+)?(s|m|h)\S*", text):
            raise ValueError(f"Unrecognized descriptor: {text}")
        return
    fields = text.split()
    if len(fields) not in {5, 6}:
        raise ValueError(f"Expected 5 to 6 fields, found {len(fields)}: {text}")
    for written, described in zip(fields, _FIELDS, strict=False):
        for part in written.split(","):
            _check_part(part, *described)


def _check_part(part: str, name: str, first: int, last: int, words: dict[str, int]) -> None:
    span, slash, step = part.partition("/")
    ends = span.split("-")
    if slash and not re.fullmatch(r"[1-9]\d*", step):
        raise ValueError(f"Step of range should be a positive number: {part}")
    if len(ends) > 2:
        raise ValueError(f"Too many hyphens: {part}")
    if span in {"*", "?"}:
        return
    numbers = []
    for end in ends:
        number = words.get(end.lower())
        if number is None and not end.isdecimal():
            raise ValueError(f"Failed to parse int from {end} ({name})")
        numbers.append(int(end) if number is None else number)
    if numbers[0] < first:
        raise ValueError(f"Beginning of range ({numbers[0]}) below minimum ({first}): {part}")
    if numbers[-1] > last:
        raise ValueError(f"End of range ({numbers[-1]}) above maximum ({last}): {part}")
    if numbers[0] > numbers[-1]:
        raise ValueError(f"Beginning of range ({numbers[0]}) beyond end ({numbers[-1]}): {part}")
