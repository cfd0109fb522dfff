"""What a file or a directory is made of: paths, sizes and checksums."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeVar

from dataset_tools.store.urls import check_file
from sub_module.errors import StoreError

_Item = TypeVar("_Item")
_READ_BYTES = 1 << 20


@dataclass(frozen=True)
class Content:
    """A file's bytes: how many, and their MD5 in hex."""

    size: int
    md5: str


@dataclass(frozen=True)
class Manifest:
    """A thing in the store.

    Attributes:
        is_directory: Else it is one file, whose path is empty.
        files: By path relative to the thing, with forward slashes.
    """

    is_directory: bool
    files: Mapping[str, Content]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(content.size for content in self.files.values())

    def keys(self, name: str) -> dict[str, Content]:
        """The objects of the thing under this name."""
        return {f"{name}/{path}" if path else name: held for path, held in self.files.items()}

    def to_bytes(self) -> bytes:
        """JSON: `kind`, and of each file its `path`, `size` and `md5`; the same for the same."""
        files = [
            {"path": path, "size": held.size, "md5": held.md5}
            for path, held in sorted(self.files.items())
        ]
        kind = "directory" if self.is_directory else "file"
        return (json.dumps({"kind": kind, "files": files}, indent=1) + "\n").encode()

    @classmethod
    def from_bytes(cls, content: bytes, url: str) -> Manifest:
        """What `to_bytes` gave.

        Raises:
            StoreError: It is damaged, or names files outside of the thing; `url` begins the line.
        """
        try:
            data = json.loads(content)
            is_directory = {"directory": True, "file": False}[data["kind"]]
            files = {}
            for row in data["files"]:
                path, held = str(row["path"]), Content(int(row["size"]), str(row["md5"]))
                files[check_file(path, url) if is_directory else ""] = held
            if not is_directory and len(files) != 1:
                raise ValueError("a file is one file")
        except (ValueError, KeyError, TypeError) as error:
            raise StoreError(f"{url}: its manifest in the store is damaged: {error}") from None
        return cls(is_directory, files)


def describe(source: Path, num_threads: int) -> Manifest:
    """The manifest of a file or directory on the disk; links to files count as files.

    Raises:
        StoreError: There is no such thing, or it holds what a store cannot hold.
        OSError: A file cannot be read.
    """
    if source.is_file():
        return Manifest(False, {"": content_of(source)})
    if not source.is_dir():
        raise StoreError(f"{source}: no such file or directory")
    files: dict[str, Content] = {}

    def add(path: Path) -> None:
        name = path.relative_to(source).as_posix()
        files[check_file(name, str(source))] = content_of(path)

    in_parallel(add, _files(source), num_threads)
    return Manifest(True, dict(sorted(files.items())))


def content_of(path: Path) -> Content:
    """Size and checksum of a file on the disk.

    Raises:
        OSError: It cannot be read.
    """
    size, digest = 0, hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(_READ_BYTES):
            digest.update(block)
            size += len(block)
    return Content(size, digest.hexdigest())


def md5(data: bytes) -> str:
    """A checksum, in hex; against damage, not against malice."""
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def copy(source: Path, into: BinaryIO, step: Callable[[int], None]) -> Content:
    """Copy a file's bytes; `step` is told how many more; gives what was copied."""
    size, digest = 0, hashlib.md5(usedforsecurity=False)
    with source.open("rb") as file:
        while block := file.read(_READ_BYTES):
            digest.update(block)
            into.write(block)
            size += len(block)
            step(len(block))
    return Content(size, digest.hexdigest())


def in_parallel(work: Callable[[_Item], None], items: Iterable[_Item], num_threads: int) -> None:
    """Do the work for each item; the first error ends it, and what has not begun is left."""
    with ThreadPoolExecutor(num_threads) as pool:
        futures = [pool.submit(work, item) for item in items]
        try:
            for future in as_completed(futures):
                future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


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
