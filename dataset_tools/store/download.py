"""Fetching a thing from a store: checked, resumed, and there only when it is whole."""

from __future__ import annotations

import hashlib
import os
import shutil
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from dataset_tools.store.manifest import Content, Manifest, content_of, describe, in_parallel
from dataset_tools.store.place import Place
from sub_module.errors import StoreError
from sub_module.progress import Progress

# Bytes of one request; so many at a time are in memory for each thread.
_CHUNK_BYTES = 8 << 20


def fetch(place: Place, name: str, manifest: Manifest, target: Path, progress: Progress) -> None:
    """Make `target` what the manifest says.

    The bytes gather in a hidden directory beside `target`, which a killed process leaves for the
    next one to go on in.

    Raises:
        StoreError: A file is damaged in the store or gone, the store cannot be used, something else
            is at `target`, or there is no room.
        OSError: The disk is full, or `target` cannot be written.
    """
    # "." has a name too.
    target = target.absolute()
    if _is_there(manifest, target, place):
        progress(manifest.size, manifest.size, "")
        return
    with _staging(target, f"{place.url}/{name}", manifest) as staging:
        # Another process may have just fetched it.
        if not _is_there(manifest, target, place):
            _fill(place, name, manifest, staging / "content", target, progress)
            os.rename(staging / "content", target)
        shutil.rmtree(staging)


def _fill(
    place: Place, name: str, manifest: Manifest, out: Path, target: Path, progress: Progress
) -> None:
    done = _Done(progress, manifest.size)
    pairs = {path: out / path if path else out for path in manifest.files}
    present = {
        path: min(file.stat().st_size, manifest.files[path].size)
        for path, file in pairs.items()
        if file.is_file()
    }
    missing, free = manifest.size - sum(present.values()), shutil.disk_usage(out.parent).free
    if missing > free:
        raise StoreError(
            f"{target}: no room: {_megabytes(missing)} MB to come, {_megabytes(free)} MB free"
        )
    if manifest.is_directory:
        out.mkdir(exist_ok=True)
    for file in pairs.values():
        file.parent.mkdir(parents=True, exist_ok=True)

    def get(item: tuple[str, Path]) -> None:
        path, file = item
        key = f"{name}/{path}" if path else name
        _get_file(place, key, manifest.files[path], file, lambda size: done.note(path, size))

    done.note("", 0)
    in_parallel(get, pairs.items(), place.num_threads)


def _get_file(
    place: Place, key: str, content: Content, file: Path, note: Callable[[int], None]
) -> None:
    digest = hashlib.md5(usedforsecurity=False)
    start = 0
    # Files are written from the front, so what a killed process has left is a beginning.
    if file.is_file():
        size = file.stat().st_size
        if size == content.size and content_of(file) == content:
            note(size)
            return
        if size < content.size:
            digest.update(file.read_bytes())
            start = size
    md5 = _append(place, key, content, file, digest, start, note)
    if md5 != content.md5:
        # What a killed process left may be damaged, or the bytes on their way.
        md5 = _append(place, key, content, file, hashlib.md5(usedforsecurity=False), 0, note)
    if md5 != content.md5:
        file.unlink()
        raise StoreError(
            f"{place.url}/{key}: damaged in the store: its MD5 is {md5}, not {content.md5}"
        )


def _append(
    place: Place,
    key: str,
    content: Content,
    file: Path,
    digest: hashlib._Hash,
    start: int,
    note: Callable[[int], None],
) -> str:
    with file.open("ab" if start else "wb") as out:
        while start < content.size:
            try:
                block = place.read(key, start, min(start + _CHUNK_BYTES, content.size))
            except FileNotFoundError:
                file.unlink()
                raise StoreError(f"{place.url}/{key}: gone from the store") from None
            if not block:
                # Shorter than it should be, which the checksum says.
                break
            digest.update(block)
            out.write(block)
            start += len(block)
            note(start)
    return digest.hexdigest()


@contextmanager
def _staging(target: Path, url: str, manifest: Manifest) -> Iterator[Path]:
    """The hidden directory of this very content; one process at a time is in it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    # Named as `sub_module.files.sweep` knows it; other bytes do not mix with these.
    number = zlib.crc32(url.encode() + manifest.to_bytes())
    staging = target.with_name(f".{target.name}.partial-{number}")
    while True:
        staging.mkdir(exist_ok=True)
        lock = FileLock(staging / "lock")
        try:
            lock.acquire()
            break
        except FileNotFoundError:
            # Who had it was just done.
            continue
    try:
        yield staging
    finally:
        lock.release()


def _is_there(manifest: Manifest, target: Path, place: Place) -> bool:
    """Whether the very thing is at `target`; False: there is nothing, or an empty directory."""
    if not os.path.lexists(target):
        return False
    if manifest.is_directory and target.is_dir() and not any(target.iterdir()):
        return not manifest.files
    if target.is_dir() == manifest.is_directory and describe(target, place.num_threads) == manifest:
        return True
    raise StoreError(f"{target}: something else is there already")


class _Done:
    """How far each file is, added up for a `Progress`; a file that starts again counts down."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress = progress
        self._total = total
        self._done = 0
        self._of_file: dict[str, int] = {}
        self._lock = threading.Lock()

    def note(self, path: str, size: int) -> None:
        with self._lock:
            self._done += size - self._of_file.get(path, 0)
            self._of_file[path] = size
            self._progress(self._done, self._total, "")


def _megabytes(num_bytes: int) -> int:
    return -(-num_bytes // 1_000_000)
