"""Which store is meant, and which names things in it may have."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sub_module.errors import StoreError
from sub_module.settings import Settings

_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,221}")
# Where the store keeps what it knows of the things in it, and how these files' names end. Things'
# names may not: else one's manifest could stand where another's needs a directory.
MANIFESTS = ".manifests"
MANIFEST_SUFFIX = ".manifest"
# Google's limit of an object's name, of which the store's prefix and the manifest take some.
_MAX_NAME_BYTES = 900


@dataclass(frozen=True)
class StoreUrl:
    """A store's place: an absolute directory, or a bucket and a prefix.

    Attributes:
        scheme: `file` or `gs`.
        path: `/directory`, or `bucket/prefix`; no slash at the end.
    """

    scheme: str
    path: str

    def __str__(self) -> str:
        return f"{self.scheme}://{self.path}"

    @property
    def bucket(self) -> str:
        """Of gs:// only."""
        return self.path.partition("/")[0]


def store_url(settings: Settings) -> StoreUrl:
    """The store of the settings; the home's own directory when none is set.

    Raises:
        StoreError: Its URL is none of file:///directory and gs://bucket/prefix.
    """
    if settings.store is None:
        return StoreUrl("file", (settings.home.absolute() / "store").as_posix())
    scheme, separator, path = settings.store.partition("://")
    path = path.rstrip("/")
    if not separator or scheme not in ("file", "gs"):
        # Without the rest: URLs of other schemes may hold passwords.
        said = f"{scheme}:// is unknown" if separator else "it has no scheme"
        raise StoreError(
            f"the store's URL (PLATEFLOW_STORE): {said}; give file:///directory or "
            "gs://bucket/prefix"
        )
    if scheme == "file" and not path.startswith("/"):
        raise StoreError(f"{settings.store}: give an absolute directory, file:///directory")
    if scheme == "gs" and not _BUCKET.fullmatch(path.partition("/")[0]):
        raise StoreError(f"{settings.store}: no name of a bucket; give gs://bucket/prefix")
    if (
        any(part in ("", ".", "..") for part in path.lstrip("/").split("/"))
        or not path.isprintable()
    ):
        raise StoreError(f"{settings.store}: the path holds an empty part, '.', '..' or worse")
    return StoreUrl(scheme, path)


def check_name(name: str) -> str:
    """A thing's name in the store, as given: parts between forward slashes.

    Raises:
        StoreError: It would leave the store, or is no name.
    """
    reason = _fault(name)
    if name.startswith(".") or f"{name}/".count(f"{MANIFEST_SUFFIX}/"):
        reason = reason or "such names are the store's own"
    if reason:
        raise StoreError(f"{name!r} is no name in a store: {reason}")
    return name


def check_file(path: str, where: str) -> str:
    """A file's path in a directory of the store, as given.

    Raises:
        StoreError: It would leave the directory, or no store can hold it; `where` begins the line.
    """
    if reason := _fault(path):
        raise StoreError(f"{where}: {path!r} is no name in a store: {reason}")
    return path


def _fault(name: str) -> str | None:
    if not name:
        return "it is empty"
    if name.startswith("/"):
        return "it begins with a slash"
    if any(part in ("", ".", "..") for part in name.split("/")):
        return "a part is empty, '.' or '..'"
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        return "it is not UTF-8"
    if size > _MAX_NAME_BYTES:
        return f"it is longer than {_MAX_NAME_BYTES} bytes"
    if any(ord(letter) < 32 or ord(letter) == 127 for letter in name):
        return "it holds a control character"
    return None
