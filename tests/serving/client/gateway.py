"""A gateway before the model server, as clusters have them: it forwards, or has faults."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

HTML = "text/html; charset=utf-8"
# The server behind wants to see it.
TOKEN = "a-token-of-the-tests"


@dataclass(frozen=True)
class Asked:
    """A request that came."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    time: float


@dataclass(frozen=True)
class Said:
    """An answer in place of the server's; status 0: the connection is cut."""

    status: int
    content: bytes = b"{}"
    kind: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    seconds_a_byte: float = 0.0


Plan = Callable[[int, Asked], Said | None]


class Gateway:
    """Listens at `url` while it is `opened`.

    Attributes:
        url: Where.
        plan: What is answered to the n-th request (from 0); None: what the server behind says.
        asked: All requests.
        most_at_once: So many of them were answered at the same time.
    """

    def __init__(self, behind: str | None = None, tls: ssl.SSLContext | None = None) -> None:
        """A gateway that does not listen yet; `behind`: the server's URL."""
        self.plan: Plan = lambda number, asked: None
        self.asked: list[Asked] = []
        self.most_at_once = self._at_once = 0
        self._behind, self._tls, self._port = behind, tls, 0
        self._lock = threading.Lock()
        self._open: list[socket.socket] = []

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self._port}"

    @contextmanager
    def opened(self) -> Iterator[Gateway]:
        """Listen, each time at the same port; afterwards all connections are cut."""
        server = ThreadingHTTPServer(("127.0.0.1", self._port), self._handler())
        server.daemon_threads = True
        server.block_on_close = False
        self._port = server.server_address[1]
        if self._tls is not None:
            server.socket = self._tls.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            self._open.clear()

    def answer(self, asked: Asked) -> Said:
        with self._lock:
            number = len(self.asked)
            self.asked.append(asked)
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            return self.plan(number, asked) or self._forwarded(asked)
        finally:
            with self._lock:
                self._at_once -= 1

    def _forwarded(self, asked: Asked) -> Said:
        assert self._behind is not None
        connection = http.client.HTTPConnection(urlsplit(self._behind).netloc, timeout=60)
        connection.request("POST", asked.path, asked.body, dict(asked.headers))
        got = connection.getresponse()
        content = got.read()
        connection.close()
        wish = got.getheader("Retry-After")
        kept = {} if wish is None else {"Retry-After": wish}
        return Said(got.status, content, got.getheader("Content-Type", ""), kept)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                super().setup()
                gateway._open.append(self.connection)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                asked = Asked(self.path, dict(self.headers), body, time.monotonic())
                said = gateway.answer(asked)
                if said.status == 0:
                    self.close_connection = True
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return
                self.send_response(said.status)
                for name, value in {**said.headers, "Content-Type": said.kind}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(said.content)))
                self.end_headers()
                step = 1 if said.seconds_a_byte else max(1, len(said.content))
                for start in range(0, len(said.content), step):
                    time.sleep(said.seconds_a_byte)
                    self.wfile.write(said.content[start : start + step])

            def log_message(self, *_: object) -> None:
                pass

        return Handler
