"""Whole files and directories by name, in a directory or a bucket."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import threading
import zlib
from contextlib import suppress
from functools import cached_property
from pathlib import Path

from filelock import FileLock

from dataset_tools.store.manifest import (
    Content,
    Manifest,
    check_path,
    content_of,
    describe,
    from_json,
    in_parallel,
    to_json,
)
from dataset_tools.store.place import PATIENCE_SECONDS, Place, open_place, store_url
from sub_module.errors import StoreError
from sub_module.files import is_disk_full, reason_of
from sub_module.progress import Progress, silent
from sub_module.settings import Settings

# When somebody waits to be told whether it works at all.
_SHORT_PATIENCE_SECONDS = 4.0
# Bytes of one request; so many at a time are in memory for each thread.
_CHUNK_BYTES = 8 << 20


def open_store(settings: Settings) -> Store:
    """The store of the settings; nothing is asked of it yet.

    Raises:
        StoreError: Its URL is none of file:///directory and gs://bucket/prefix.
    """
    return Store(settings)


class Store:
    """Files and directories by name (`models/run1`).

    A thing is there once its manifest is, which is written last: JSON with path, size and MD5 of
    every file, at `.manifests/<name>.manifest`. So nobody gets half of a thing, and bytes are
    checked on the way back. In a directory an object is written under a temporary name and
    renamed; in a bucket an object appears only when it is whole. Servers that fail for a while are
    asked again, with growing pauses.

    While a name gets other bytes it is not there; files that it has no more stay in the store, but
    are no part of it. Two that put different bytes under one name at the same time are not kept
    apart.
    """

    def __init__(self, settings: Settings, patience_seconds: float = PATIENCE_SECONDS) -> None:
        """See `open_store`; a request that keeps failing is repeated for `patience_seconds`."""
        self._settings = settings
        self._patience_seconds = patience_seconds
        self.url = store_url(settings)

    @cached_property
    def _place(self) -> Place:
        return open_place(self._settings, patience_seconds=self._patience_seconds)

    def put(self, source: Path, name: str, progress: Progress = silent) -> str:
        """Store a file or a directory; objects that are there already are not sent again.

        Empty directories are not kept. Progress counts bytes.

        Returns:
            Its URL.

        Raises:
            StoreError: The store cannot be used, the name or a file's name cannot be, or the source
                changed meanwhile.
            OSError: The disk of the store is full.
        """
        key, place = self._manifest_key(name), self._place
        try:
            manifest = describe(source, place.num_threads)
        except OSError as error:
            raise StoreError(reason_of(error)) from error
        wanted, old = to_json(manifest), b""
        with suppress(FileNotFoundError):
            old = place.read(key)
        if old and old != wanted:
            place.delete(key)
        self._send(source, name, manifest, progress)
        if old != wanted:
            place.write(key, wanted)
        return f"{self.url}/{name}"

    def get(self, name: str, target: Path, progress: Progress = silent) -> None:
        """Fetch a thing; it appears whole at `target`, every file's checksum compared.

        Until then its files are gathered beside it, in `.<name of the target>.partial-<number>`,
        where the next `get` goes on when this one is killed. The same thing at `target` already is
        no mistake. Progress counts bytes.

        Raises:
            StoreError: There is no such thing, it is damaged in the store, the store cannot be
                used, something else is at `target`, or there is no room for it.
            OSError: The disk is full, or `target` cannot be written.
        """
        key, url = self._manifest_key(name), f"{self.url}/{name}"
        try:
            manifest = from_json(self._place.read(key), url)
        except FileNotFoundError:
            raise StoreError(f"{url}: there is no such thing in the store") from None
        # "." has a name too.
        target = target.absolute()
        target.parent.mkdir(parents=True, exist_ok=True)
        # Other bytes do not mix with these.
        number = zlib.crc32(url.encode() + to_json(manifest))
        partial = target.with_name(f".{target.name}.partial-{number}")
        lock = target.with_name(f".{target.name}.lock")
        with FileLock(lock):
            if self._is_there(manifest, target):
                _Meter(progress, manifest)(_size(manifest))
            else:
                self._fetch(name, manifest, partial, progress)
                os.rename(partial, target)
            # Who waits for it finds the thing there.
            lock.unlink(missing_ok=True)

    def check(self) -> None:
        """Write an object, read it and delete it; a server that fails is not given long.

        Raises:
            StoreError: One of these does not work, and why.
        """
        patience_seconds = min(self._patience_seconds, _SHORT_PATIENCE_SECONDS)
        place = open_place(self._settings, patience_seconds=patience_seconds)
        key, content = f".check-{secrets.token_hex(8)}", secrets.token_bytes(16)
        try:
            place.write(key, content)
            read = place.read(key)
            place.delete(key)
        except OSError as error:
            reason = "the disk is full" if is_disk_full(error) else reason_of(error)
            raise StoreError(f"{self.url}: {reason}") from error
        if read != content:
            raise StoreError(f"{self.url}: it gives back other bytes than it was given")

    def _send(self, source: Path, name: str, manifest: Manifest, progress: Progress) -> None:
        place, found = self._place, self._place.found(name)
        meter = _Meter(progress, manifest)

        def send(item: tuple[str, Content]) -> None:
            path, content = item
            key = f"{name}/{path}" if path else name
            if key in found and place.is_same(found[key], content):
                meter(content.size)
            else:
                place.upload(source / path, key, content, meter)

        in_parallel(send, manifest.items(), place.num_threads)

    def _fetch(self, name: str, manifest: Manifest, partial: Path, progress: Progress) -> None:
        meter = _Meter(progress, manifest)
        missing = {}
        for path, content in manifest.items():
            file = partial / path
            if file.is_file() and content_of(file) == content:
                meter(content.size)
            else:
                missing[path] = content
        needed = _size(missing) / 1e6
        if needed > (free := shutil.disk_usage(partial.parent).free / 1e6):
            raise StoreError(
                f"{partial.parent}: no room: {needed:.1f} MB to come, {free:.1f} MB free"
            )
        if not manifest:
            partial.mkdir(exist_ok=True)

        def get(item: tuple[str, Content]) -> None:
            path, content = item
            self._download(f"{name}/{path}" if path else name, content, partial / path, meter)

        in_parallel(get, missing.items(), self._place.num_threads)

    def _download(self, key: str, content: Content, file: Path, meter: _Meter) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        # Bytes can be damaged on their way; then they are asked for once more.
        for _ in range(2):
            digest = hashlib.md5(usedforsecurity=False)
            with file.open("wb") as out:
                for start in range(0, content.size, _CHUNK_BYTES):
                    end = min(start + _CHUNK_BYTES, content.size)
                    try:
                        block = self._place.read(key, start, end)
                    except FileNotFoundError:
                        raise StoreError(f"{self.url}/{key}: gone from the store") from None
                    digest.update(block)
                    out.write(block)
                    meter(len(block))
            if digest.hexdigest() == content.md5:
                return
            meter(-file.stat().st_size)
        raise StoreError(
            f"{self.url}/{key}: damaged in the store: its MD5 is {digest.hexdigest()}, "
            f"not {content.md5}"
        )

    def _is_there(self, manifest: Manifest, target: Path) -> bool:
        """Whether the very thing is at `target`; False: there is nothing, or an empty directory."""
        if not os.path.lexists(target):
            return False
        if manifest and target.is_dir() and not any(target.iterdir()):
            return False
        if describe(target, self._place.num_threads) != manifest:
            raise StoreError(f"{target}: something else is there already")
        return True

    def _manifest_key(self, name: str) -> str:
        check_path(name, self.url)
        if name.startswith("."):
            raise StoreError(f"{self.url}: {name!r} is no name in a store: it begins with a dot")
        # With an ending: `models` and `models/run1` can both be names.
        return f".manifests/{name}.manifest"


class _Meter:
    """Adds up the bytes of all threads for a `Progress`."""

    def __init__(self, progress: Progress, manifest: Manifest) -> None:
        self._progress = progress
        self._total = _size(manifest)
        self._done = 0
        self._lock = threading.Lock()
        self(0)

    def __call__(self, num_bytes: int) -> None:
        with self._lock:
            self._done += num_bytes
            self._progress(self._done, self._total, "")


def _size(manifest: Manifest) -> int:
    return sum(content.size for content in manifest.values())
