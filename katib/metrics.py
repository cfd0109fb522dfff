"""Metrics in what a trial prints, found as Katib's collector finds them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path


def metrics_in(line: str, formats: Sequence[str], names: Sequence[str]) -> list[tuple[str, float]]:
    """Every metric of those names in a line, as (name, value), in the order of the formats.

    `metrics_in("epoch 3 mAP=0.5", [r"(\\w+)=([0-9.]+)"], ["mAP"])` is `[("mAP", 0.5)]`.
    """
    if not any(name in line for name in names):
        return []
    found = []
    for text in formats:
        for match in re.finditer(text, line):
            name, value = (match[1] or "").strip(), (match[2] or "").strip()
            try:
                number = float(value)
            except ValueError:
                continue
            if name in names and math.isfinite(number):
                found.append((name, number))
    return found


class Tail:
    """The lines of a growing log."""

    def __init__(self, file: Path) -> None:
        """Begin at the start of the file, which need not exist yet."""
        self._file = file
        self._offset = 0
        self.last_line = ""

    def lines(self, to_the_end: bool = False) -> Iterator[str]:
        """Whole lines that came since the last call.

        Args:
            to_the_end: Take the last one even if it is not ended.
        """
        try:
            with self._file.open("rb") as file:
                file.seek(self._offset)
                content = file.read()
        except FileNotFoundError:
            return
        if not to_the_end:
            content = content[: content.rfind(b"\n") + 1]
        self._offset += len(content)
        for line in content.decode(errors="replace").splitlines():
            if line.strip():
                self.last_line = line.strip()
            yield line
