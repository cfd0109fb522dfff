"""A real Google Cloud Storage server on this machine, behind a gate that can fail and refuse.

The server is gcp-storage-emulator, in memory. The gate forwards to it; when told so it answers 503
for a while, is slow, or lets in only who brings the token of a service account. It is also that
account's token endpoint, which verifies the signature, and a metadata server, which gives the same
token to workloads. Each process of tests has its own.
"""

from __future__ import annotations

import http.client
import json
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, quote

import pytest
from gcp_storage_emulator.server import create_server

from tests.servers.service_account import ServiceAccount

# What a client sends and what a proxy must not pass on, in lower case.
_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "date", "server"}


@dataclass(frozen=True)
class Asked:
    """One request to the gate and how it was answered; `path` is as sent, with the query."""

    method: str
    path: str
    status: int


@dataclass
class _Failure:
    status: int
    matching: str
    times_left: float
    until: float

    def hits(self, request: str) -> bool:
        if self.matching not in request or self.times_left < 1 or time.monotonic() > self.until:
            return False
        self.times_left -= 1
        return True


class Gcs:
    """The gate with the server behind it."""

    def __init__(self) -> None:
        """Start both, on free ports."""
        # It says every answer of its own, and tracebacks of what it refuses.
        for name in ("gcp_storage_emulator", "api"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        self._emulator = create_server("127.0.0.1", 0, in_memory=True)
        # A test that fails must not keep its process alive.
        self._emulator._api.daemon = True
        self._emulator.start()
        self.emulator_port: int = self._emulator._api._httpd.server_port
        # It takes one connection at a time, and more than five that wait lose a second each.
        self.one_at_a_time = threading.Lock()
        self._lock = threading.Lock()
        self._gate = _GateServer(("127.0.0.1", 0), _Handler)
        self._gate.gcs = self
        threading.Thread(target=self._gate.serve_forever, args=(0.02,), daemon=True).start()
        self.host = f"127.0.0.1:{self._gate.server_port}"
        self.url = f"http://{self.host}"
        self.token_uri = f"{self.url}/token"
        self.bucket = ""
        self._num_buckets = 0
        self.reset()

    def reset(self) -> None:
        """Well again, open to everybody, nothing asked yet, and a new empty `bucket`."""
        self.asked: list[Asked] = []
        self.failures: list[_Failure] = []
        self.delay_seconds = 0.0
        self.account: ServiceAccount | None = None
        self.num_tokens = 0
        self._num_buckets += 1
        self.bucket = f"bucket-{self._num_buckets}"
        self.make_bucket(self.bucket)

    def make_bucket(self, name: str) -> None:
        """An empty bucket."""
        status, _, _ = self.forward(
            "POST",
            "/storage/v1/b?project=plateflow",
            json.dumps({"name": name}).encode(),
            {"Content-Type": "application/json"},
        )
        assert status == 200, status

    def generations(self, bucket: str, prefix: str) -> dict[str, str]:
        """The objects whose names begin with `prefix`, without it: changed with every write."""
        path = f"/storage/v1/b/{bucket}/o?prefix={quote(prefix)}"
        status, body, _ = self.forward("GET", path, b"", {})
        assert status == 200, status
        return {
            item["name"].removeprefix(prefix): item["generation"]
            for item in json.loads(body).get("items", [])
        }

    @property
    def store(self) -> str:
        """A store's URL in the bucket."""
        return f"gs://{self.bucket}/plateflow"

    def fail(
        self,
        status: int = 503,
        *,
        times: float = float("inf"),
        seconds: float = float("inf"),
        matching: str = "",
    ) -> None:
        """Answer so to the next requests, as many `times` or for so many `seconds`.

        `matching` is a part of "METHOD /path" of the requests that are meant. Status 0: the
        connection is closed without an answer.
        """
        self.failures.append(_Failure(status, matching, times, time.monotonic() + seconds))

    def admit_only(self, account: ServiceAccount) -> None:
        """From now on every request needs the token that this account gets."""
        self.account = account

    def uploads(self) -> list[Asked]:
        """What was uploaded with success: the last request of each object."""
        return [asked for asked in self.asked if "upload_id=" in asked.path and asked.status == 200]

    def answer(
        self, method: str, path: str, body: bytes, headers: dict[str, str]
    ) -> tuple[int, bytes, dict[str, str]]:
        """Status, body and headers; status 0: close the connection."""
        if method == "POST" and path == "/token":
            return self._token(body)
        if headers.get("metadata-flavor") == "Google":
            return self._metadata(path)
        with self._lock:
            failure = next((f.status for f in self.failures if f.hits(f"{method} {path}")), None)
        if failure is not None:
            answered = _failure(failure)
        elif self.account and headers.get("authorization") != f"Bearer {self.account.token}":
            answered = _failure(401)
        else:
            time.sleep(self.delay_seconds)
            answered = self.forward(method, path, body, headers)
        self.asked.append(Asked(method, path, answered[0]))
        return answered

    def forward(
        self, method: str, path: str, body: bytes, headers: dict[str, str]
    ) -> tuple[int, bytes, dict[str, str]]:
        """What the server behind the gate answers."""
        with self.one_at_a_time:
            connection = http.client.HTTPConnection("127.0.0.1", self.emulator_port, timeout=60)
            try:
                connection.request(method, path, body, headers)
                response = connection.getresponse()
                content = response.read()
            finally:
                connection.close()
        kept = {k: v for k, v in response.getheaders() if k.lower() not in _HOP_BY_HOP}
        return response.status, content, kept

    def _token(self, body: bytes) -> tuple[int, bytes, dict[str, str]]:
        form = {key: values[0] for key, values in parse_qs(body.decode()).items()}
        if self.account is None:
            return _json(400, {"error": "invalid_grant", "error_description": "no such account"})
        try:
            self.account.verify(form)
        except ValueError as error:
            return _json(400, {"error": "invalid_grant", "error_description": str(error)})
        return self._give_token()

    def _metadata(self, path: str) -> tuple[int, bytes, dict[str, str]]:
        account = "/computeMetadata/v1/instance/service-accounts/default/"
        if path.startswith(f"{account}token") and self.account:
            status, body, headers = self._give_token()
        elif path.startswith(account) and self.account:
            described = {"email": self.account.fields["client_email"], "scopes": [], "aliases": []}
            status, body, headers = _json(200, described)
        elif path.startswith("/computeMetadata/v1/project/project-id"):
            status, body, headers = 200, b"plateflow", {"Content-Type": "text/plain"}
        else:
            status, body, headers = (200 if path == "/" else 404), b"", {}
        return status, body, {**headers, "Metadata-Flavor": "Google"}

    def _give_token(self) -> tuple[int, bytes, dict[str, str]]:
        assert self.account
        self.num_tokens += 1
        given = {"access_token": self.account.token, "expires_in": 3600, "token_type": "Bearer"}
        return _json(200, given)

    def close(self) -> None:
        """Stop both."""
        self._gate.shutdown()
        self._gate.server_close()
        self._emulator.stop()


class _GateServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    gcs: Gcs


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Otherwise an answer's body waits for the acknowledgement of its headers.
    disable_nagle_algorithm = True

    def _handle(self) -> None:
        assert isinstance(self.server, _GateServer)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        for name in _HOP_BY_HOP:
            headers.pop(name, None)
        status, content, kept = self.server.gcs.answer(self.command, self.path, body, headers)
        if not status:
            self.close_connection = True
            return
        # A client that was killed does not wait for its answer.
        with suppress(ConnectionError):
            self._send(status, content, kept)

    def _send(self, status: int, content: bytes, kept: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in kept.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = _handle  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet."""


def _json(status: int, content: Any) -> tuple[int, bytes, dict[str, str]]:
    return status, json.dumps(content).encode(), {"Content-Type": "application/json"}


def _failure(status: int) -> tuple[int, bytes, dict[str, str]]:
    # As Google says them.
    reasons = {
        401: "Invalid Credentials",
        403: "the account does not have storage.objects.list access to the bucket.",
        503: "Backend Error",
    }
    message = reasons.get(status, "Error")
    return _json(status, {"error": {"code": status, "message": message, "errors": []}})


@pytest.fixture(scope="session")
def gcs_server() -> Iterator[Gcs]:
    """The gate and the server, for a whole session; `gcs` makes it fresh for a test."""
    server = Gcs()
    yield server
    server.close()


@pytest.fixture
def gcs(gcs_server: Gcs, monkeypatch: pytest.MonkeyPatch) -> Gcs:
    """A well Google Cloud Storage with an empty bucket, which clients find by the environment."""
    gcs_server.reset()
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", gcs_server.url)
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    return gcs_server
