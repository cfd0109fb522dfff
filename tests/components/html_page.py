"""What tests look at in a page."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path


class Page(HTMLParser):
    """Tags, text and whatever would be fetched."""

    _VOID = frozenset({"meta", "img", "br"})

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.open: list[str] = []
        self.fetched: list[str] = []
        self.num: dict[str, int] = {}
        self.text = ""
        self.feed(page.read_text("utf-8"))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.text += " "
        self.num[tag] = self.num.get(tag, 0) + 1
        if tag not in self._VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name in ("src", "href", "xlink:href") and not (value or "").startswith(
                ("data:image/jpeg;base64,", "#")
            ):
                self.fetched.append(f"{tag} {name}={value}")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self._VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        self.text += " "

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.text += data
