"""Where objects lie: what a store needs of a file system, and a directory as such a place."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

from dataset_tools.store.manifest import Content, check_path, content_of
from sub_module.errors import StoreError
from sub_module.files import is_disk_full, reason_of
from sub_module.settings import Settings
from sub_module.urls import shown_url

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem  # type: ignore[import-untyped]

_Result = TypeVar("_Result")
# How long a server that fails is asked again.
PATIENCE_SECONDS = 60.0
_BLOCK_BYTES = 1 << 20


def store_url(settings: Settings) -> str:
    """`file:///directory` or `gs://bucket/prefix`; the home's own directory when none is set.

    Raises:
        StoreError: It is neither.
    """
    if settings.store is None:
        return f"file://{(settings.home.absolute() / 'store').as_posix()}"
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
        given = shown_url(settings.store)
        raise StoreError(f"{given}: give an absolute directory, file:///directory")
    if scheme == "gs" and re.search(r"[@:]", path.partition("/")[0]):
        raise StoreError("PLATEFLOW_STORE: a bucket's URL has no user or password")
    check_path(path.removeprefix("/") if scheme == "file" else path, "PLATEFLOW_STORE")
    return f"{scheme}://{path}"


def open_place(
    settings: Settings, folder: str = "", patience_seconds: float = PATIENCE_SECONDS
) -> Place:
    """The store of the settings, or a folder of it; nothing is asked of it yet.

    Args:
        settings: Which store, and who we are there.
        folder: Such as `dvc`; empty: all of it.
        patience_seconds: How long a request to a server that fails is repeated.

    Raises:
        StoreError: The store's URL is none, or Google gives no token.
    """
    url = f"{store_url(settings)}/{folder}".rstrip("/")
    if url.startswith("file://"):
        return Directory(url)
    # gcsfs takes more than a second to import.
    from dataset_tools.store.bucket import Bucket

    return Bucket(settings, url, patience_seconds)


class Place(ABC):
    """Objects by key (`models/run1/best.pth`) below a root of an fsspec file system.

    Every method raises a StoreError that names the URL and the reason when the place cannot be
    used; FileNotFoundError is always about one object.
    """

    # How many objects are worked on at a time.
    num_threads: int

    def __init__(self, fs: AbstractFileSystem, url: str) -> None:
        """`url` is without a slash at the end."""
        self._fs = fs
        self._root = url.partition("://")[2]
        self.url = url

    def path(self, key: str) -> str:
        """Where the file system has the object."""
        return f"{self._root}/{key}"

    def read(self, key: str, start: int | None = None, end: int | None = None) -> bytes:
        """An object's bytes, or those from `start` up to `end`."""
        return bytes(self._ask(self._fs.cat_file, self.path(key), start=start, end=end))

    def found(self, key: str) -> dict[str, dict[str, Any]]:
        """What fsspec says of the object of this key and of all below it; nothing is no mistake."""
        found = self._ask(self._fs.find, self.path(key), detail=True)
        return {path.removeprefix(f"{self._root}/"): info for path, info in found.items()}

    def delete(self, key: str) -> None:
        """Delete an object; nothing there is no mistake."""
        with suppress(FileNotFoundError):
            self._ask(self._fs.rm_file, self.path(key))

    @abstractmethod
    def is_same(self, found: dict[str, Any], content: Content) -> bool:
        """Whether what was found are these bytes, by their checksum."""

    @abstractmethod
    def upload(self, source: Path, key: str, content: Content, step: Callable[[int], None]) -> None:
        """Make an object of a file; it appears whole. `step` is told how many bytes more are there.

        Raises:
            StoreError: Also when the file's bytes are not `content` any more.
        """

    @abstractmethod
    def write(self, key: str, content: bytes) -> None:
        """Make or replace a small object at once."""

    @abstractmethod
    def _ask(self, request: Callable[..., _Result], *args: Any, **options: Any) -> _Result:
        """Do a request of the file system; its errors are those of a place."""


class Directory(Place):
    """Objects as files below a directory; each is written under another name, then renamed."""

    num_threads = 4

    def __init__(self, url: str) -> None:
        """The directory is made when the first object comes."""
        from fsspec.implementations.local import (  # type: ignore[import-untyped]
            LocalFileSystem,
        )

        super().__init__(LocalFileSystem(), url)

    def is_same(self, found: dict[str, Any], content: Content) -> bool:
        """See `Place`."""
        try:
            return (
                bool(found["size"] == content.size) and content_of(Path(found["name"])) == content
            )
        except OSError:
            # What cannot be read is written anew.
            return False

    def upload(self, source: Path, key: str, content: Content, step: Callable[[int], None]) -> None:
        """See `Place`."""
        digest = hashlib.md5(usedforsecurity=False)
        with self._replacing(key) as out, source.open("rb") as file:
            while block := file.read(_BLOCK_BYTES):
                digest.update(block)
                out.write(block)
                step(len(block))
            if digest.hexdigest() != content.md5:
                raise StoreError(f"{source}: it changed while it was stored")

    def write(self, key: str, content: bytes) -> None:
        """See `Place`."""
        with self._replacing(key) as out:
            out.write(content)

    def _ask(self, request: Callable[..., _Result], *args: Any, **options: Any) -> _Result:
        try:
            return request(*args, **options)
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
            raise FileNotFoundError(errno.ENOENT, "no such object", error.filename) from None
        except OSError as error:
            raise StoreError(reason_of(error)) from error

    @contextmanager
    def _replacing(self, key: str) -> Iterator[BinaryIO]:
        """A new file to fill, which then takes the place of an object at once."""
        path, partial = Path(self.path(key)), None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Not of the whole name, which may be as long as names can be.
            handle, partial = tempfile.mkstemp(".partial", f".{path.name[:40]}.", path.parent)
            with os.fdopen(handle, "wb") as file:
                yield file
            # mkstemp makes files that nobody else may read.
            os.chmod(partial, 0o644)
            os.replace(partial, path)
        except (FileExistsError, NotADirectoryError) as error:
            name = error.filename
            raise StoreError(f"{name}: a file is where a directory should be") from None
        except OSError as error:
            # The command line has words of its own for a full disk.
            if is_disk_full(error):
                raise
            raise StoreError(reason_of(error)) from error
        finally:
            if partial is not None:
                Path(partial).unlink(missing_ok=True)
