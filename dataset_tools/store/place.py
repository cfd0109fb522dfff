"""Where objects lie: what a store needs of a file system, and a directory as such a place."""

from __future__ import annotations

import errno
import os
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from dataset_tools.store.manifest import Content, content_of, copy
from sub_module.errors import StoreError
from sub_module.files import is_disk_full, reason_of

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem  # type: ignore[import-untyped]


class Place(ABC):
    """Objects by key (`models/run1/best.pth`) below a root of an fsspec file system.

    Every method raises a StoreError that names the URL and the reason when the place cannot be
    used; FileNotFoundError is always about one object.
    """

    # How many objects are worked on at a time.
    num_threads: int

    def __init__(self, fs: AbstractFileSystem, url: str, root: str) -> None:
        """`root` is the path of `url` as the file system wants it."""
        self._fs = fs
        self._root = root
        self.url = url

    def path(self, key: str) -> str:
        """Where the file system has the object."""
        return f"{self._root}/{key}"

    @abstractmethod
    def read(self, key: str, start: int | None = None, end: int | None = None) -> bytes:
        """An object's bytes, or those from `start` up to `end`."""

    @abstractmethod
    def found(self, prefix: str) -> dict[str, Any]:
        """What lies under keys that begin with `prefix`, for `is_same`; nothing is no mistake."""

    @abstractmethod
    def is_same(self, found: Any, content: Content) -> bool:
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
    def delete(self, key: str) -> None:
        """Delete an object; nothing there is no mistake."""


class Directory(Place):
    """Objects as files below a directory; each is written under another name, then renamed."""

    num_threads = 4

    def __init__(self, url: str, root: str) -> None:
        """The directory is made when the first object comes."""
        from fsspec.implementations.local import (  # type: ignore[import-untyped]
            LocalFileSystem,
        )

        super().__init__(LocalFileSystem(), url, root)

    def read(self, key: str, start: int | None = None, end: int | None = None) -> bytes:
        """See `Place`."""
        try:
            return bytes(self._fs.cat_file(self.path(key), start, end))
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            raise FileNotFoundError(key) from None
        except OSError as error:
            raise self._said(error) from error

    def found(self, prefix: str) -> dict[str, Any]:
        """See `Place`."""
        folder, _, start = prefix.rpartition("/")
        top = Path(self.path(folder)) if folder else Path(self._root)
        found = {}
        try:
            beginnings = [entry for entry in os.scandir(top) if entry.name.startswith(start)]
        except (FileNotFoundError, NotADirectoryError):
            return {}
        except OSError as error:
            raise self._said(error) from error
        for entry in beginnings:
            for path in self._fs.find(entry.path):
                found[os.path.relpath(path, self._root)] = Path(path)
        return found

    def is_same(self, found: Any, content: Content) -> bool:
        """See `Place`."""
        try:
            return bool(found.stat().st_size == content.size) and content_of(found) == content
        except OSError:
            # What cannot be read is written anew.
            return False

    def upload(self, source: Path, key: str, content: Content, step: Callable[[int], None]) -> None:
        """See `Place`."""
        try:
            with _replacing(Path(self.path(key))) as file:
                if copy(source, file, step) != content:
                    raise StoreError(f"{source}: it changed while it was stored")
        except OSError as error:
            raise self._said(error) from error

    def write(self, key: str, content: bytes) -> None:
        """See `Place`."""
        try:
            with _replacing(Path(self.path(key))) as file:
                file.write(content)
        except OSError as error:
            raise self._said(error) from error

    def delete(self, key: str) -> None:
        """See `Place`."""
        try:
            with suppress(FileNotFoundError, NotADirectoryError, IsADirectoryError):
                os.unlink(self.path(key))
            # A bucket has no empty directories either.
            with suppress(OSError):
                folder = Path(self.path(key)).parent
                while folder != Path(self._root):
                    folder.rmdir()
                    folder = folder.parent
        except OSError as error:
            raise self._said(error) from error

    def _said(self, error: OSError) -> Exception:
        # The command line has words of its own for a full disk.
        if is_disk_full(error):
            return error
        if error.errno in (errno.EEXIST, errno.ENOTDIR):
            return StoreError(f"{error.filename}: a file is where a directory should be")
        return StoreError(reason_of(error))


@contextmanager
def _replacing(path: Path) -> Iterator[BinaryIO]:
    """A new file to fill, which then takes the place of `path` at once."""
    handle, partial = _new_file(path)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
        # mkstemp makes files that nobody else may read.
        os.chmod(partial, 0o644)
        os.replace(partial, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(partial)
        raise


def _new_file(path: Path) -> tuple[int, str]:
    tries = 5
    while True:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            return tempfile.mkstemp(
                prefix=f".{path.name[:40]}.", suffix=".partial", dir=path.parent
            )
        except FileNotFoundError:
            # Another process may have just deleted the last object of a directory.
            tries -= 1
            if not tries:
                raise
