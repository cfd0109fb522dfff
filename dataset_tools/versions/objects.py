"""DVC's cache, checked: what goes in and what comes out has the bytes that its name says.

DVC takes a read-only file of its cache for sound without looking. So nothing is published or
handed out here before its checksum is computed.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TypeVar

from sub_module.errors import DataError
from sub_module.files import write_bytes
from sub_module.progress import Progress

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")
# Reading and hashing leave the interpreter free.
_NUM_THREADS = 4
_CHUNK_BYTES = 1 << 20
_READ_ONLY = 0o444
# Where DVC keeps objects, below its cache or remote.
OBJECTS = "files/md5/"
# Of files that are not whole yet, here and in DVC.
_PARTIAL = (".partial", ".tmp")


@dataclass(frozen=True)
class Content:
    """The files of a set.

    Attributes:
        md5: DVC's checksum of the whole set.
        files: The checksum of each file by its path in the set, with forward slashes.
    """

    md5: str
    files: Mapping[str, str]


def content_of(files: Mapping[str, str]) -> Content:
    """The content with these files, by the checksum that DVC gives it."""
    return Content(hashlib.md5(_listing(files)).hexdigest(), files)


def object_name(md5: str, is_listing: bool = False) -> str:
    """Where DVC keeps bytes, below its cache or remote; a set's listing has a name of its own."""
    return f"{OBJECTS}{md5[:2]}/{md5[2:]}{'.dir' if is_listing else ''}"


class Cache:
    """DVC's cache of one home."""

    def __init__(self, root: Path) -> None:
        """The cache in `root`, which need not exist."""
        self.root = root

    def path(self, md5: str, is_listing: bool = False) -> Path:
        """Where an object lies, or would."""
        return self.root / object_name(md5, is_listing)

    def keep(self, source: Path) -> tuple[str, int]:
        """Copy a file in, unless its bytes are there; gives their checksum and number.

        Raises:
            OSError: It cannot be read, or the copy cannot be written.
        """
        md5 = _md5_of(source)
        if not self.is_sound(md5):
            # Of the bytes that were copied, in case the file has just been changed.
            md5 = self._copy_in(source)
        return md5, self.path(md5).stat().st_size

    def keep_listing(self, content: Content) -> None:
        """Have what DVC keeps of a set, too."""
        if not self.is_sound(content.md5, is_listing=True):
            write_bytes(self.path(content.md5, is_listing=True), _listing(content.files))

    def is_sound(self, md5: str, is_listing: bool = False) -> bool:
        """Whether the object is there with the right bytes; one that is damaged is removed."""
        path = self.path(md5, is_listing)
        try:
            if _md5_of(path) == md5:
                return True
        except FileNotFoundError:
            return False
        path.unlink(missing_ok=True)
        return False

    def listing(self, md5: str) -> Content | None:
        """The files of a set, by what DVC keeps in the cache; None where that is not there.

        Raises:
            DataError: What is there has the right bytes, but is no listing of DVC.
        """
        if not self.is_sound(md5, is_listing=True):
            return None
        try:
            entries = json.loads(self.path(md5, is_listing=True).read_bytes())
            files = {str(entry["relpath"]): str(entry["md5"]) for entry in entries}
        except (ValueError, TypeError, KeyError) as error:
            raise DataError(f"data set {md5}: its listing is none of DVC's") from error
        for name, found in files.items():
            parts = PurePosixPath(name).parts
            if not parts or ".." in parts or parts[0] == "/" or not _is_md5(found):
                raise DataError(f"data set {md5}: its listing names no file of a set: {name!r}")
        return Content(md5, files)

    def hand_out(self, md5: str, target: Path, editable: bool) -> bool:
        """Give an object a place among a user's files, if it is there with the right bytes.

        Args:
            md5: Which.
            target: Does not exist yet; its directory does.
            editable: A copy of its own, rather than a link to what is in the cache.

        Returns:
            Whether it is at `target` now. A damaged object is removed from the cache.

        Raises:
            OSError: `target` cannot be written.
        """
        if not editable and self.is_sound(md5) and link(self.path(md5), target):
            return True
        try:
            if _copy(self.path(md5), target) == md5:
                target.chmod(0o644 if editable else _READ_ONLY)
                return True
        except FileNotFoundError:
            return False
        self.path(md5).unlink(missing_ok=True)
        target.unlink()
        return False

    def objects(self) -> Iterator[tuple[str, int]]:
        """Each object as its name (see `object_name`) and its bytes."""
        for path in self.root.glob(f"{OBJECTS}??/*"):
            if not path.name.endswith(_PARTIAL):
                yield path.relative_to(self.root).as_posix(), path.stat().st_size

    def sweep(self) -> None:
        """Remove parts of files that broken transfers left; nobody else may write meanwhile."""
        for path in self.root.rglob("*"):
            if path.name.endswith(_PARTIAL):
                path.unlink(missing_ok=True)

    def _copy_in(self, source: Path) -> str:
        folder = self.root / OBJECTS
        folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(suffix=_PARTIAL[0], dir=folder)
        os.close(handle)
        partial = Path(name)
        try:
            md5 = _copy(source, partial)
            partial.chmod(_READ_ONLY)
            target = self.path(md5)
            target.parent.mkdir(exist_ok=True)
            os.replace(partial, target)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
        return md5


def link(source: Path, target: Path) -> bool:
    """Make `target` the same file as `source`; False where the file system does not do that."""
    try:
        os.link(source, target)
    except OSError:
        # Another file system, one without links, or too many links to one file.
        return False
    return True


def each_of(
    items: Collection[_Item], work: Callable[[_Item], _Result], progress: Progress, text: str
) -> list[_Result]:
    """Do the work for each item, several at a time; gives what came of each, in their order.

    The first error ends it.
    """
    results: list[_Result] = []
    with ThreadPoolExecutor(_NUM_THREADS) as pool:
        try:
            for result in pool.map(work, items):
                results.append(result)
                progress(len(results), len(items), text)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return results


def _listing(files: Mapping[str, str]) -> bytes:
    # DVC's own order and spelling, which its checksum of a directory rests on.
    entries = [{"md5": files[name], "relpath": name} for name in sorted(files)]
    return json.dumps(entries, sort_keys=True).encode()


def _is_md5(text: str) -> bool:
    return len(text) == 32 and set(text) <= set("0123456789abcdef")


def _md5_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


def _copy(source: Path, target: Path) -> str:
    """Copy a file's bytes; gives their checksum."""
    digest = hashlib.md5()
    with source.open("rb") as reading, target.open("wb") as writing:
        while chunk := reading.read(_CHUNK_BYTES):
            digest.update(chunk)
            writing.write(chunk)
    return digest.hexdigest()
