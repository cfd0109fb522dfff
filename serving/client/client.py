"""A model server, asked with patience."""

from __future__ import annotations

import asyncio
import math
import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

import httpx
from pydantic import SecretStr

from serving.client.errors import AwayError, ImageError, ServerError
from serving.client.payload import payload_of
from serving.client.protocol import AWAY, OVERHEAD_BYTES, answer_of, infer_path, infer_request
from serving.client.settings import ClientSettings
from serving.predictor.answer import ImageAnswer
from sub_module.errors import ConfigError
from sub_module.urls import shown_url

_CONNECT_SECONDS = 5.0
# Between two tries, where the server has no wish of its own.
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.2, 5.0
# Those who were sent away together do not come back together.
_SPREAD = 0.25


class PlateClient:
    """Reads images by a model server, as many at a time as its settings say.

    ```
    async with PlateClient(client_settings()) as client:
        answer = await client.read(Path("photo.jpg"))
    ```
    """

    def __init__(
        self,
        settings: ClientSettings,
        token: SecretStr | None = None,
        host: str | None = None,
        on_wait: Callable[[str], None] = lambda reason: None,
    ) -> None:
        """Nothing is asked yet.

        Args:
            settings: Name the server.
            token: That it wants to see.
            host: The Host header, where the URL is that of a gateway to several servers.
            on_wait: Called with the reason each time that a request must be sent again.

        Raises:
            ConfigError: The token fits into no header, or the environment names certificates or a
                proxy that cannot be used.
        """
        self._settings, self._on_wait = settings, on_wait
        self._where = f"the server at {shown_url(settings.url)}"
        self._path = infer_path(settings.model_name)
        self._max_bytes = int(settings.max_payload_megabytes * 1e6) - OVERHEAD_BYTES
        self._places = asyncio.Semaphore(settings.concurrent)
        # When a server was last there, in seconds of `time.monotonic`.
        self._answered: float | None = None
        # It need not read for a client that is gone.
        headers = {"X-Deadline-Ms": f"{settings.answer_seconds * 1000:.0f}"}
        if token is not None:
            headers["Authorization"] = f"Bearer {_checked(token)}"
        if host is not None:
            headers["Host"] = host
        # A gateway chooses the certificate before it sees the header.
        self._extensions = {"sni_hostname": host.split(":")[0]} if host is not None else {}
        try:
            self._http = httpx.AsyncClient(
                base_url=settings.url,
                headers=headers,
                # The whole of a request has its own limit.
                timeout=httpx.Timeout(None, connect=_CONNECT_SECONDS),
                limits=httpx.Limits(max_connections=settings.concurrent),
            )
        except (OSError, ValueError, ImportError) as error:
            names = "SSL_CERT_FILE, SSL_CERT_DIR, or a proxy such as HTTPS_PROXY"
            raise ConfigError(f"what the environment names ({names}): {error}") from error

    @property
    def num_at_once(self) -> int:
        """Images on their way at the same time, at most."""
        return self._settings.concurrent

    async def __aenter__(self) -> PlateClient:
        """Itself."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def read(self, image: bytes | Path) -> ImageAnswer:
        """The readings of one image, in pixels of the image as it is.

        Args:
            image: A file, or what is in it.

        Raises:
            ImageError: It gets none; others may.
            ServerError: The server cannot be asked.
        """
        async with self._places:
            payload = await asyncio.to_thread(
                payload_of, image, self._max_bytes, self._settings.jpeg_quality
            )
            return payload.as_if_whole(await self._patiently(payload.data))

    async def _patiently(self, data: bytes) -> ImageAnswer:
        """Ask, and ask again while the server is away."""
        body, headers = infer_request(data, self._settings.standard)
        headers["X-Request-Id"] = os.urandom(8).hex()
        patience_seconds = self._settings.patience_seconds
        pause, away_since, again_since = _FIRST_PAUSE_SECONDS, None, math.inf
        while True:
            try:
                return await self._ask(body, headers)
            except AwayError as error:
                now = time.monotonic()
                away_since = now if away_since is None else away_since
                wish = error.pause_seconds
                # The server knows better than a pause that grows.
                seconds = pause if wish is None else max(wish, _FIRST_PAUSE_SECONDS)
                seconds *= random.uniform(1, 1 + _SPREAD)
                if now + seconds > away_since + patience_seconds:
                    raise self._given_up(error, again_since) from error
                self._on_wait(str(error))
            await asyncio.sleep(seconds)
            pause = min(_LONGEST_PAUSE_SECONDS, 2 * pause)
            again_since = min(again_since, time.monotonic())

    def _given_up(self, error: AwayError, again_since: float) -> ImageError | ServerError:
        wish = f"; it asks for {error.pause_seconds:.0f} s of rest" if error.pause_seconds else ""
        reason = f"{error}, {self._settings.patience_seconds:g} s long{wish}"
        # Others were answered since it was sent again: it is this image that the server cannot
        # bear. Before, those may have been on their way when the server was lost.
        alone = self._answered is not None and self._answered > again_since
        return ImageError(reason) if alone else ServerError(reason)

    async def _ask(self, body: bytes, headers: dict[str, str]) -> ImageAnswer:
        answer_seconds = self._settings.answer_seconds
        try:
            async with asyncio.timeout(answer_seconds):
                response = await self._http.post(
                    self._path, content=body, headers=headers, extensions=self._extensions
                )
        except TimeoutError as error:
            raise AwayError(f"{self._where} does not answer in {answer_seconds:g} s") from error
        except httpx.TransportError as error:
            raise self._unreachable(error) from error
        except httpx.DecodingError as error:
            raise ServerError(f"{self._where} answers, but not in HTTP: {error}") from error
        if response.status_code not in AWAY:
            self._answered = time.monotonic()
        answer = answer_of(response, self._where)
        wanted, read = self._settings.standard, answer.model.get("standard")
        if wanted not in (None, read):
            raise ServerError(
                f"{self._where} read plates of {read}, not of {wanted}: it lets nobody choose"
            )
        return answer

    def _unreachable(self, error: httpx.TransportError) -> ServerError:
        reason = _innermost(error)
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            hint = "SSL_CERT_FILE can name a file of those that vouch for it"
            return ServerError(f"{self._where} has a certificate that does not verify; {hint}")
        if "WRONG_VERSION_NUMBER" in str(error):
            return ServerError(f"{self._where} does not speak TLS: is it http://?")
        if not isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
            return AwayError(f"{self._where} cut the connection ({reason})")
        message = f"{self._where} cannot be reached: {reason}"
        # A server that was there may come back; an address that never answered is wrong.
        return ServerError(message) if self._answered is None else AwayError(message)


def _checked(token: SecretStr) -> str:
    secret = token.get_secret_value()
    # Later it would be a fault of the connection, in whose message it stands.
    if not (secret.isascii() and secret.isprintable()):
        raise ConfigError(
            "PLATEFLOW_SERVE_TOKEN: a token is of printable ASCII characters; "
            "is there a line break at its end?"
        )
    return secret


def _innermost(error: BaseException) -> str:
    """The reason that the operating system gives, in an error of httpx."""
    inner: BaseException | None = error
    while inner is not None:
        if isinstance(inner, BaseExceptionGroup):
            inner = inner.exceptions[0]
        if isinstance(inner, OSError) and inner.errno:
            # asyncio has texts of its own; those of names that are not found have negative numbers.
            return os.strerror(inner.errno) if inner.errno > 0 else str(inner.strerror)
        inner = inner.__cause__ or inner.__context__
    return str(error) or type(error).__name__
