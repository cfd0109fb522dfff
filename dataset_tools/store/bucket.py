"""A bucket of Google Cloud Storage as a place for objects."""

from __future__ import annotations

import asyncio
import base64
import random
import time
from collections.abc import Callable
from contextlib import suppress
from inspect import unwrap
from pathlib import Path
from typing import Any, TypeVar

from dataset_tools.store.google import find_credentials, quiet_gcsfs
from dataset_tools.store.manifest import Content, md5
from dataset_tools.store.place import Place
from dataset_tools.store.urls import StoreUrl
from sub_module.errors import StoreError
from sub_module.files import reason_of
from sub_module.settings import Settings

# Before the import below.
quiet_gcsfs()

import aiohttp  # noqa: E402
import requests  # type: ignore[import-untyped]  # noqa: E402
from fsspec.callbacks import Callback  # type: ignore[import-untyped]  # noqa: E402
from gcsfs.core import GCSFileSystem  # type: ignore[import-untyped]  # noqa: E402
from gcsfs.retry import ChecksumError, HttpError  # type: ignore[import-untyped]  # noqa: E402
from google.auth.exceptions import GoogleAuthError, TransportError  # noqa: E402

_Result = TypeVar("_Result")
# What a server says that may be well again soon.
_TRANSIENT_STATUS = {"408", "429", "500", "502", "503", "504"}
_TRANSIENT = (
    aiohttp.ClientError,
    requests.exceptions.RequestException,
    TransportError,
    asyncio.TimeoutError,
)
# ValueError: gcsfs makes it of a request that the server calls invalid.
_FAILURES = (*_TRANSIENT, HttpError, GoogleAuthError, OSError, ValueError)
_LONGEST_PAUSE_SECONDS = 8.0
_CONNECT_SECONDS = 10.0
_SILENCE_SECONDS = 60.0
# From this size on, which is gcsfs's own, a file is sent in pieces.
_LARGE_BYTES = 5 << 20
_PIECE_BYTES = 8 << 20


class Bucket(Place):
    """Objects in a bucket, whose server says their MD5; each appears only when it is whole."""

    num_threads = 16

    def __init__(self, settings: Settings, where: StoreUrl, patience_seconds: float) -> None:
        """Ask Google for a token.

        Raises:
            StoreError: Google gives none, or the service account's key cannot be read.
        """
        credentials = find_credentials(settings)
        self._is_anonymous = credentials is None
        fs = _PatientFileSystem(
            patience_seconds=patience_seconds,
            token="anon" if credentials is None else credentials,
            access="read_write",
            use_listings_cache=False,
            skip_instance_cache=True,
            requests_timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=_CONNECT_SECONDS, sock_read=_SILENCE_SECONDS
            ),
            session_kwargs={"trust_env": True},
        )
        super().__init__(fs, str(where), where.path)
        self._bucket = where.bucket

    def read(self, key: str, start: int | None = None, end: int | None = None) -> bytes:
        """See `Place`."""
        return bytes(self._ask(self._fs.cat_file, self.path(key), start=start, end=end))

    def found(self, prefix: str) -> dict[str, Any]:
        """See `Place`."""
        folder, _, start = self.path(prefix).rpartition("/")
        found = self._ask(self._fs.find, folder, prefix=start, detail=True, update_cache=False)
        return {path.removeprefix(f"{self._root}/"): info for path, info in found.items()}

    def is_same(self, found: Any, content: Content) -> bool:
        """See `Place`; an object composed of others has no MD5, so it is sent anew."""
        return bool(found["size"] == content.size and _md5(found) == content.md5)

    def upload(self, source: Path, key: str, content: Content, step: Callable[[int], None]) -> None:
        """See `Place`."""
        path = self.path(key)
        if content.size < _LARGE_BYTES:
            try:
                data = source.read_bytes()
            except OSError as error:
                raise StoreError(reason_of(error)) from error
            if md5(data) != content.md5:
                raise StoreError(f"{source}: it changed while it was stored")
            self._send_small(data, path)
            step(content.size)
            return
        try:
            self._ask(
                self._fs.put_file,
                str(source),
                path,
                chunksize=_PIECE_BYTES,
                consistency="md5",
                callback=_Steps(step),
            )
        except FileNotFoundError:
            raise StoreError(f"{source}: it vanished while it was stored") from None
        if not self.is_same(self._ask(self._fs.info, path), content):
            self.delete(key)
            raise StoreError(f"{source}: it changed while it was stored")

    def write(self, key: str, content: bytes) -> None:
        """See `Place`."""
        self._send_small(content, self.path(key))

    def delete(self, key: str) -> None:
        """See `Place`."""
        with suppress(FileNotFoundError):
            self._ask(self._fs.rm_file, self.path(key))

    def _send_small(self, data: bytes, path: str) -> None:
        try:
            self._ask(self._fs.pipe_file, path, data, consistency="md5")
        except _DamagedError:
            # A multipart request ends with its boundary, and bytes that look like one can be lost;
            # sent as one piece of a resumable upload nothing is read into them.
            self._ask(self._fs.pipe_file, path, data, consistency="md5", chunksize=len(data))

    def _ask(self, request: Callable[..., _Result], *args: Any, **options: Any) -> _Result:
        try:
            return request(*args, **options)
        except FileNotFoundError:
            # The server says so of the object and of the bucket.
            if not self._has_bucket():
                raise StoreError(f"{self.url}: there is no bucket {self._bucket}") from None
            raise
        except ChecksumError:
            raise _DamagedError(f"{self.url}: bytes were damaged on the way") from None
        except _FAILURES as error:
            raise StoreError(f"{self.url}: {self._reason(error)}") from error

    def _has_bucket(self) -> bool:
        try:
            self._fs.call("GET", "b/{}/o", self._bucket, maxResults=1, json_out=True)
        except FileNotFoundError:
            return False
        except _FAILURES:
            # Not to be told; then it is the object.
            return True
        return True

    def _reason(self, error: Exception) -> str:
        said = " ".join(str(error).split())[:200]
        if isinstance(error, HttpError):
            said = " ".join(str(error.message).rpartition(",")[0].split())[:200]
            if str(error.code) == "401" and self._is_anonymous:
                return "the server wants credentials, and none are set (401)"
            if str(error.code) == "401":
                return f"the server refuses the credentials (401: {said})"
            return f"the server answers {error.code} ({said})"
        if said.startswith("Forbidden: "):
            # Then the path, and in the second line the server's reason.
            return f"access refused (403): {' '.join(str(error).splitlines()[1:])[:200]}"
        if isinstance(error, asyncio.TimeoutError):
            return "the server gives no answer"
        if isinstance(error, aiohttp.ClientConnectorError):
            return f"cannot be reached at {error.host}: {error.os_error.strerror or error.os_error}"
        return said or type(error).__name__


class _DamagedError(StoreError):
    """What the server has is not what was sent."""


class _PatientFileSystem(GCSFileSystem):  # type: ignore[misc]
    """gcsfs with our patience: it repeats a request only so long, and one that is refused never.

    By itself it repeats six times, which for a refused token takes half a minute.
    """

    def __init__(self, *args: Any, patience_seconds: float, **options: Any) -> None:
        super().__init__(*args, **options)
        self._patience_seconds = patience_seconds

    async def _request(self, *args: Any, **options: Any) -> Any:
        request = unwrap(GCSFileSystem._request)
        pause_seconds = 0.5
        end = None
        while True:
            try:
                return await request(self, *args, **options)
            except _FAILURES as error:
                now = time.monotonic()
                # From the first failure, not from the request's begin: it may have sent a lot.
                end = end or now + self._patience_seconds
                # Many threads would otherwise all come back at the same moment.
                sleep_seconds = pause_seconds * random.uniform(0.7, 1.3)
                if not _may_pass(error) or now + sleep_seconds > end:
                    raise
            await asyncio.sleep(sleep_seconds)
            pause_seconds = min(2 * pause_seconds, _LONGEST_PAUSE_SECONDS)


class _Steps(Callback):  # type: ignore[misc]
    """Tells how many more bytes were sent."""

    def __init__(self, step: Callable[[int], None]) -> None:
        super().__init__()
        self._step = step
        self._done = 0

    def absolute_update(self, value: int) -> None:
        step, self._done = value - self._done, value
        self._step(step)


def _may_pass(error: Exception) -> bool:
    if isinstance(error, HttpError):
        return str(error.code) in _TRANSIENT_STATUS
    return isinstance(error, _TRANSIENT)


def _md5(info: dict[str, Any]) -> str | None:
    said = info.get("md5Hash")
    return base64.b64decode(said).hex() if said else None
