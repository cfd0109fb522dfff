"""What goes wrong on purpose."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from typing import Literal


@dataclass
class Fault:
    """What happens to requests whose `METHOD /path?query` matches.

    Attributes:
        matching: A regular expression, looked for anywhere.
        status: Of the answer; 0: the connection is cut.
        when: `before` the server acts, `after` it has acted (and then said nothing of it, or said
            `status`), or `within` the request: it reads a half of the body and cuts.
        times: How often.
        delay_seconds: Before it happens.
    """

    matching: str
    status: int = 0
    when: Literal["before", "within", "after"] = "before"
    times: float = 1
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    delay_seconds: float = 0.0
    hits: int = 0

    def takes(self, request: str) -> bool:
        """Whether it happens to this one."""
        if self.hits >= self.times or not re.search(self.matching, request):
            return False
        self.hits += 1
        return True

    def wait(self) -> None:
        """As long as it takes."""
        if self.delay_seconds:
            time.sleep(self.delay_seconds)
