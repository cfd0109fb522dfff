"""Whole files and directories by name, in a directory or a bucket."""

from __future__ import annotations

import secrets
import threading
from pathlib import Path

from dataset_tools.store.download import fetch
from dataset_tools.store.manifest import Content, Manifest, describe, in_parallel
from dataset_tools.store.place import Directory, Place
from dataset_tools.store.urls import MANIFEST_SUFFIX, MANIFESTS, StoreUrl, check_name, store_url
from sub_module.errors import StoreError
from sub_module.files import is_disk_full, reason_of
from sub_module.progress import Progress, silent
from sub_module.settings import Settings

# How long a server that fails is asked again.
_PATIENCE_SECONDS = 60.0
# When somebody waits to be told whether it works at all.
_SHORT_PATIENCE_SECONDS = 4.0


def open_store(settings: Settings) -> Store:
    """The store of the settings; nothing is asked of it yet.

    Raises:
        StoreError: Its URL is none of file:///directory and gs://bucket/prefix.
    """
    return Store(settings)


class Store:
    """Files and directories by name (`models/run1`).

    A thing is there once its manifest is, which is written last and deleted first: JSON with path,
    size and MD5 of every file, at `.manifests/<name>.manifest`. So nobody gets half of a thing,
    and bytes are checked on the way back. While a name gets other bytes it is not there; two that
    put different bytes under one name at the same time are not kept apart.

    In a directory an object is written under a temporary name and renamed; in a bucket, an object
    appears only when it is whole. A killed `put` goes on where it was: objects that have the right
    checksum are not sent again. Servers that fail for a while are asked again, with growing pauses.
    """

    def __init__(self, settings: Settings, patience_seconds: float = _PATIENCE_SECONDS) -> None:
        """See `open_store`; a request that keeps failing is repeated for `patience_seconds`."""
        self._settings = settings
        self._patience_seconds = patience_seconds
        self._where: StoreUrl = store_url(settings)
        self._place: Place | None = None
        self._lock = threading.Lock()
        self.url = str(self._where)

    def put(self, source: Path, name: str, progress: Progress = silent) -> str:
        """Store a file or a directory; what is there already is not sent again.

        Empty directories are not kept. Progress counts bytes.

        Returns:
            Its URL.

        Raises:
            StoreError: The store cannot be used, the name or a file's name cannot be, or the source
                changed meanwhile.
            OSError: The disk of the store is full.
        """
        key = _manifest_key(name)
        place = self._open()
        try:
            manifest = describe(source, place.num_threads)
        except OSError as error:
            raise StoreError(reason_of(error)) from error
        old = self._manifest(name, place, must_be_whole=False)
        if old and old != manifest:
            place.delete(key)
            if old.is_directory != manifest.is_directory:
                in_parallel(place.delete, old.keys(name), place.num_threads)
        self._put_objects(place, source, name, manifest, progress)
        if old != manifest:
            place.write(key, manifest.to_bytes())
            if old:
                stale = old.keys(name).keys() - manifest.keys(name).keys()
                in_parallel(place.delete, stale, place.num_threads)
        return f"{self.url}/{name}"

    def get(self, name: str, target: Path, progress: Progress = silent) -> None:
        """Fetch a thing; it appears whole at `target`, every file's checksum compared.

        What a killed `get` has fetched is not fetched again. The same thing at `target` already is
        no mistake. Progress counts bytes.

        Raises:
            StoreError: There is no such thing, it is damaged in the store, the store cannot be
                used, something else is at `target`, or there is no room for it.
            OSError: The disk is full, or `target` cannot be written.
        """
        _manifest_key(name)
        place = self._open()
        manifest = self._manifest(name, place)
        if manifest is None:
            raise StoreError(f"{self.url}/{name}: there is no such thing in the store")
        fetch(place, name, manifest, target, progress)

    def exists(self, name: str) -> bool:
        """Whether a whole thing of this name is there.

        Raises:
            StoreError: The store cannot be used, or the name cannot be.
        """
        key = _manifest_key(name)
        try:
            self._open().read(key)
        except FileNotFoundError:
            return False
        return True

    def delete(self, name: str) -> None:
        """Delete a thing and everything below its name, also what a killed `put` left.

        Nothing there is no mistake.

        Raises:
            StoreError: The store cannot be used, or the name cannot be.
        """
        key = _manifest_key(name)
        place = self._open()
        place.delete(key)
        # Manifests first: a thing that lost objects must not be there.
        for below in (f"{MANIFESTS}/{name}/", name):
            keys = [
                found
                for found in place.found(below)
                if found.startswith(f"{below.rstrip('/')}/") or found == name
            ]
            in_parallel(place.delete, keys, place.num_threads)

    def list(self, prefix: str = "") -> list[str]:
        """The names of whole things that begin with `prefix`, sorted.

        Raises:
            StoreError: The store cannot be used.
        """
        found = self._open().found(f"{MANIFESTS}/{prefix}")
        return sorted(
            key.removeprefix(f"{MANIFESTS}/").removesuffix(MANIFEST_SUFFIX)
            for key in found
            if key.endswith(MANIFEST_SUFFIX)
        )

    def check(self) -> None:
        """Write an object, read it and delete it; a server that fails is not given long.

        Raises:
            StoreError: One of these does not work, and why.
        """
        place = self._new_place(min(self._patience_seconds, _SHORT_PATIENCE_SECONDS))
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

    def _put_objects(
        self, place: Place, source: Path, name: str, manifest: Manifest, progress: Progress
    ) -> None:
        found = place.found(name)
        meter = _Meter(progress, manifest.size)

        def send(item: tuple[str, Content]) -> None:
            path, content = item
            key = f"{name}/{path}" if path else name
            if key in found and place.is_same(found[key], content):
                meter(content.size)
            else:
                place.upload(source / path if path else source, key, content, meter)

        meter(0)
        in_parallel(send, manifest.files.items(), place.num_threads)

    def _manifest(self, name: str, place: Place, must_be_whole: bool = True) -> Manifest | None:
        try:
            content = place.read(_manifest_key(name))
        except FileNotFoundError:
            return None
        try:
            return Manifest.from_bytes(content, f"{self.url}/{name}")
        except StoreError:
            if must_be_whole:
                raise
            return Manifest(True, {})

    def _open(self) -> Place:
        with self._lock:
            if self._place is None:
                self._place = self._new_place(self._patience_seconds)
            return self._place

    def _new_place(self, patience_seconds: float) -> Place:
        if self._where.scheme == "file":
            return Directory(self.url, self._where.path)
        # gcsfs takes more than a second to import.
        from dataset_tools.store.bucket import Bucket

        return Bucket(self._settings, self._where, patience_seconds)


class _Meter:
    """Adds up the bytes of all threads for a `Progress`."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress = progress
        self._total = total
        self._done = 0
        self._lock = threading.Lock()

    def __call__(self, num_bytes: int) -> None:
        with self._lock:
            self._done += num_bytes
            self._progress(self._done, self._total, "")


def _manifest_key(name: str) -> str:
    return f"{MANIFESTS}/{check_name(name)}{MANIFEST_SUFFIX}"
