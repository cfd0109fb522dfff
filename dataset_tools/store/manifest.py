"""What a file or a directory is made of: paths, sizes and checksums."""

from __future__ import annotations

import hashlib
import os
import unicodedata
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter

from sub_module.errors import StoreError

_Item = TypeVar("_Item")
# Google's limit of an object's name, of which the store's prefix and the manifest take some.
_MAX_NAME_BYTES = 900


@dataclass(frozen=True)
class Content:
    """A file's bytes: how many, and their MD5 in hex, which is against damage, not malice."""

    size: int
    md5: str


# A thing in the store: each of its files by its path below the thing, with forward slashes. A
# thing that is one file has one, whose path is empty.
Manifest = dict[str, Content]
_JSON = TypeAdapter(Manifest)


def to_json(manifest: Manifest) -> bytes:
    """The same for the same thing."""
    return _JSON.dump_json(dict(sorted(manifest.items())), indent=1)


def from_json(content: bytes, url: str) -> Manifest:
    """What `to_json` gave.

    Raises:
        StoreError: It is damaged, or names files outside of the thing; `url` begins the line.
    """
    try:
        manifest = _JSON.validate_json(content)
    except ValueError:
        raise StoreError(f"{url}: its manifest in the store is damaged") from None
    for path in manifest if set(manifest) != {""} else ():
        check_path(path, url)
    return manifest


def describe(source: Path, num_threads: int) -> Manifest:
    """The manifest of a file or directory on the disk; links to files count as files.

    Raises:
        StoreError: There is no such thing, or it holds what a store cannot hold.
        OSError: A file cannot be read.
    """
    if source.is_file():
        return {"": content_of(source)}
    if not source.is_dir():
        raise StoreError(f"{source}: no such file or directory")
    manifest: Manifest = {}

    def add(path: Path) -> None:
        name = path.relative_to(source).as_posix()
        check_path(name, str(source))
        manifest[name] = content_of(path)

    in_parallel(add, _files(source), num_threads)
    return manifest


def content_of(path: Path) -> Content:
    """Size and checksum of a file on the disk.

    Raises:
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "md5")
        return Content(file.tell(), digest.hexdigest())


def check_path(path: str, where: str) -> None:
    """Make sure that a name, or a file's path below one, can be in a store.

    Raises:
        StoreError: It would leave the store, or no store can hold it; `where` begins the line.
    """
    reason = None
    if any(part in ("", ".", "..") for part in path.split("/")):
        reason = "a part is empty, '.' or '..'"
    elif any(unicodedata.category(letter) in ("Cc", "Cs") for letter in path):
        reason = "it holds a control character, or is not UTF-8"
    elif len(path.encode()) > _MAX_NAME_BYTES:
        reason = f"it is longer than {_MAX_NAME_BYTES} bytes"
    if reason:
        raise StoreError(f"{where}: {path!r} is no name in a store: {reason}")


def in_parallel(work: Callable[[_Item], None], items: Iterable[_Item], num_threads: int) -> None:
    """Do the work for each item; an error ends it, and what has not begun is left."""
    with ThreadPoolExecutor(num_threads) as pool:
        for _ in pool.map(work, items):
            pass


def _files(directory: Path) -> list[Path]:
    files = []
    for folder, folders, names in os.walk(directory, onerror=_raise):
        for name in folders:
            # os.walk does not go there, and its files would silently be missing.
            if Path(folder, name).is_symlink():
                raise StoreError(f"{Path(folder, name)}: a link to a directory cannot be stored")
        for name in names:
            path = Path(folder, name)
            if not path.is_file():
                raise StoreError(f"{path}: neither a file nor a directory")
            files.append(path)
    return files


def _raise(error: OSError) -> None:
    raise error
