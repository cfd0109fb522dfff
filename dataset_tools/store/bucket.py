"""A bucket of Google Cloud Storage as a place for objects."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import random
import time
from collections.abc import Callable
from inspect import unwrap
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import requests  # type: ignore[import-untyped]
from fsspec.callbacks import Callback  # type: ignore[import-untyped]
from gcsfs.core import GCSFileSystem  # type: ignore[import-untyped]
from gcsfs.retry import ChecksumError, HttpError  # type: ignore[import-untyped]
from google.auth.exceptions import GoogleAuthError, TransportError

from dataset_tools.store.google import find_credentials, quiet_gcsfs, said_by_google
from dataset_tools.store.manifest import Content
from dataset_tools.store.place import Place
from sub_module.errors import StoreError
from sub_module.files import reason_of
from sub_module.settings import Settings

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
_FAILURES = (*_TRANSIENT, HttpError, ChecksumError, GoogleAuthError, OSError, ValueError)
_LONGEST_PAUSE_SECONDS = 8.0
_CONNECT_SECONDS = 10.0
_SILENCE_SECONDS = 60.0
# From this size on, which is gcsfs's own, a file is not read into memory at once.
_LARGE_BYTES = 5 << 20
_PIECE_BYTES = 8 << 20


class Bucket(Place):
    """Objects in a bucket, whose server says their MD5; each appears only when it is whole."""

    num_threads = 16

    def __init__(self, settings: Settings, url: str, patience_seconds: float) -> None:
        """Ask Google for a token.

        Raises:
            StoreError: Google gives none, or the service account's key cannot be read.
        """
        quiet_gcsfs()
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
        super().__init__(fs, url)
        self._bucket = self._root.partition("/")[0]

    def is_same(self, found: dict[str, Any], content: Content) -> bool:
        """See `Place`; an object composed of others has no MD5, so it is sent anew."""
        md5 = base64.b64decode(found.get("md5Hash", "")).hex()
        return bool(found["size"] == content.size) and md5 == content.md5

    def upload(self, source: Path, key: str, content: Content, step: Callable[[int], None]) -> None:
        """See `Place`."""
        try:
            if content.size < _LARGE_BYTES:
                data = source.read_bytes()
                is_same = hashlib.md5(data, usedforsecurity=False).hexdigest() == content.md5
                if is_same:
                    self.write(key, data)
                    step(content.size)
            else:
                options = {
                    "chunksize": _PIECE_BYTES,
                    "consistency": "md5",
                    "callback": _Steps(step),
                }
                self._ask(self._fs.put_file, str(source), self.path(key), **options)
                is_same = self.is_same(self._ask(self._fs.info, self.path(key)), content)
                if not is_same:
                    self.delete(key)
        except OSError as error:
            raise StoreError(reason_of(error)) from error
        if not is_same:
            raise StoreError(f"{source}: it changed while it was stored")

    def write(self, key: str, content: bytes) -> None:
        """See `Place`."""
        # Not below the chunk's size: then it would be one part of a multipart request, in which
        # bytes that look like the boundary are lost.
        chunk = min(len(content), _PIECE_BYTES) or 1
        self._ask(self._fs.pipe_file, self.path(key), content, chunksize=chunk, consistency="md5")

    def _ask(self, request: Callable[..., _Result], *args: Any, **options: Any) -> _Result:
        """See `Place`."""
        try:
            return request(*args, **options)
        except FileNotFoundError:
            # The server says so of the object and of the bucket.
            if not self._has_bucket():
                raise StoreError(f"{self.url}: there is no bucket {self._bucket}") from None
            raise
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
        lines = str(error).splitlines() or [type(error).__name__]
        if isinstance(error, HttpError):
            said = _short(str(error.message).rpartition(",")[0])
            if str(error.code) == "401" and self._is_anonymous:
                return "the server wants credentials, and none are set (401)"
            if str(error.code) == "401":
                return f"the server refuses the credentials (401: {said})"
            return f"the server answers {error.code} ({said})"
        if lines[0].startswith("Forbidden: "):
            # Then the path, and in the second line the server's reason.
            return f"access refused (403): {_short(' '.join(lines[1:]))}"
        if isinstance(error, GoogleAuthError):
            return said_by_google(error)
        if isinstance(error, asyncio.TimeoutError):
            return "the server gives no answer"
        if isinstance(error, aiohttp.ClientConnectorError):
            return f"cannot be reached at {error.host}: {error.os_error.strerror or error.os_error}"
        return _short(" ".join(lines))


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


def _short(text: str) -> str:
    return " ".join(text.split())[:200]
