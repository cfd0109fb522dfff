"""URLs for messages: without the passwords and tokens in them."""

from __future__ import annotations

import re
from urllib.parse import unquote

# A URL and what looks like its user and password, up to the last @: people forget to encode a
# slash or an @ of a password. Behind :///, as in file:///a@b, there is no user.
_URL = re.compile(r"([\w+.-]+)://(?!/)(.*)@", re.DOTALL)
_IN_TEXT = re.compile(r"([\w+.-]+)://(?!/)([^\s'\"]*)@")
_SEPARATORS = re.compile(r"[/@:?#]")
# Shorter ones are words that messages need.
_MIN_CHARACTERS = 3
_MIN_TOKEN_CHARACTERS = 8


def shown_url(url: str) -> str:
    """A URL without its password: `mysql://user:***@host/name`, `https://***@host/sets.git`.

    Of a git server not even the user is shown, since a token may stand there. Whatever stands
    between `://` and the last @ is taken for the user and the password.
    """
    return _URL.sub(_masked, url)


def without_secrets(text: str, *urls: str | None) -> str:
    """What a program says of URLs, without their secrets and without parts of these.

    Args:
        text: Any text; URLs in it that were not named lose their passwords too.
        urls: Those that the program was given.
    """
    given = [url for url in urls if url]
    for url in given:
        text = text.replace(url, shown_url(url))
    text = _IN_TEXT.sub(_masked, text)
    for secret in sorted(set().union(*map(_secrets, given)), key=len, reverse=True):
        text = text.replace(secret, "***")
    return text


def _masked(found: re.Match[str]) -> str:
    scheme, info = found.groups()
    if scheme.startswith("http"):
        return f"{scheme}://***@"
    user = _SEPARATORS.split(info)[0]
    return f"{scheme}://{user}@" if user == info else f"{scheme}://{user}:***@"


def _secrets(url: str) -> set[str]:
    """The password as it is written and as it is meant, and its parts, one may pass for a host."""
    secrets: set[str] = set()
    for scheme, info in _URL.findall(url):
        user, *parts = _SEPARATORS.split(info)
        found = {info[len(user) + 1 :], *parts}
        secrets |= {one for one in found | set(map(unquote, found)) if len(one) >= _MIN_CHARACTERS}
        if scheme.startswith("http") and len(user) >= _MIN_TOKEN_CHARACTERS:
            secrets |= {user, unquote(user)}
    return secrets
