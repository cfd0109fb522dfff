"""The HTTP side of the emulated API server: paths, discovery, authentication, faults."""

from __future__ import annotations

import json
import ssl
import threading
import urllib.error
import urllib.request
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from tests.servers.kubernetes_access import ANONYMOUS, User, Wish
from tests.servers.kubernetes_objects import Object, Problem, Resource

if TYPE_CHECKING:
    from tests.servers.kubernetes import Kubernetes

_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_PUBLIC = ("/version", "/healthz", "/livez", "/readyz")
# What a proxy must not pass on.
_HOP_BY_HOP = ("host", "connection", "content-length", "transfer-encoding", "accept-encoding")


class Answer(NamedTuple):
    """Status 0: the connection is cut."""

    status: int
    content_type: str
    content: bytes
    headers: tuple[tuple[str, str], ...] = ()


class Call(NamedTuple):
    """One request, as RBAC sees it; `resource` has its subresource: pods/log."""

    verb: str
    group: str
    resource: str
    namespaced: bool
    namespace: str | None
    name: str | None
    status: int
    user: str


class Asked(NamedTuple):
    """A request for a resource."""

    verb: str
    resource: Resource
    namespace: str | None
    name: str | None
    subresource: str
    query: dict[str, str]
    content_type: str
    body: Any
    user: User

    @property
    def full_resource(self) -> str:
        """With the subresource."""
        return f"{self.resource.plural}/{self.subresource}".rstrip("/")

    @property
    def group_resource(self) -> str:
        """As messages name it: experiments.kubeflow.org."""
        return f"{self.resource.plural}.{self.resource.group}".rstrip(".")

    @property
    def key(self) -> tuple[str, str | None, str]:
        """Of the server's objects."""
        is_namespaced = self.resource.namespaced
        return (self.resource.plural, self.namespace if is_namespaced else None, self.name or "")

    @property
    def wish(self) -> Wish:
        """What RBAC is asked."""
        group, full = self.resource.group, self.full_resource
        return Wish(self.verb, group, full, self.namespace, self.name)


@dataclass
class Fault:
    """An answer that a test wants."""

    status: int
    times_left: float
    matching: str
    acted: bool
    headers: dict[str, str] = field(default_factory=dict)
    # A page, or JSON, in place of Kubernetes' own answer.
    content: bytes | None = None
    message: str = ""

    def to_answer(self) -> Answer:
        """As a server that is not well gives it."""
        problem = Problem(self.status, "", self.message)
        answer = json_answer(self.status, problem.to_status())
        if self.content is not None:
            kind = "application/json" if self.content.startswith(b"{") else "text/html"
            answer = Answer(self.status, kind, self.content)
        return answer._replace(headers=tuple(self.headers.items()))


def json_answer(status: int, body: Object) -> Answer:
    """An object as an answer."""
    return Answer(status, "application/json", json.dumps(body).encode())


class HttpServer:
    """Listens in a thread."""

    def __init__(self, kubernetes: Kubernetes, tls: ssl.SSLContext | None) -> None:
        """On a free port."""
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.kubernetes = kubernetes
        scheme = "http"
        if tls is not None:
            scheme = "https"
            self._server.socket = tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self.url = f"{scheme}://127.0.0.1:{self._server.server_port}"
        # `shutdown` waits for so long, once a test.
        threading.Thread(target=self._server.serve_forever, args=(0.002,), daemon=True).start()

    def close(self) -> None:
        """Stop listening; connections that are kept open end with their clients."""
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    kubernetes: Kubernetes

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that does not trust us, or has gone, is no error here."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    # Headers and body in one packet.
    wbufsize = -1
    server: _Server

    def do_GET(self) -> None:
        self._handle()

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def _handle(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        answer = self._answer(content)
        if answer.status == 0:
            self.close_connection = True
            with suppress(OSError):
                self.connection.shutdown(2)
            return
        self.send_response(answer.status)
        for name, value in answer.headers:
            self.send_header(name, value)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.content)))
        self.end_headers()
        self.wfile.write(answer.content)

    def _answer(self, content: bytes) -> Answer:
        split = urlsplit(self.path)
        query = dict(parse_qsl(split.query, keep_blank_values=True))
        try:
            user = self._user()
            path = f"/{split.path.strip('/')}"
            parts = [unquote(part) for part in path[1:].split("/")]
            if (found := self._parsed(parts)) is not None:
                return self._of_resource(user, found, query, content)
            if user == ANONYMOUS and path not in _PUBLIC:
                message = f'User "system:anonymous" cannot get path "{path}"'
                raise Problem(403, "Forbidden", f"forbidden: {message}")
            if (listed := self._discovered(path)) is not None:
                return json_answer(200, listed)
            if path.startswith("/api/v1/"):
                message = "the server could not find the requested resource"
                raise Problem(404, "NotFound", message)
        except Problem as problem:
            return json_answer(problem.code, problem.to_status())
        return Answer(404, "text/plain; charset=utf-8", b"404 page not found\n")

    def _user(self) -> User:
        sent = self.headers.get("Authorization")
        if sent is None:
            return ANONYMOUS
        user = self.server.kubernetes.tokens.get(sent.removeprefix("Bearer "))
        if user is None:
            raise Problem(401, "Unauthorized", "Unauthorized")
        return user

    def _parsed(
        self, parts: list[str]
    ) -> tuple[Resource, str | None, str | None, list[str]] | None:
        """Resource, namespace, name and what follows, of a path; None: no resource's."""
        if parts[:2] == ["api", "v1"]:
            group, version, rest = "", "v1", parts[2:]
        elif parts[0] == "apis" and len(parts) > 3:
            group, version, rest = parts[1], parts[2], parts[3:]
        else:
            return None
        namespace = None
        if rest[:1] == ["namespaces"] and len(rest) > 1:
            namespace = rest[1]
            rest = rest[2:] if len(rest) > 2 else rest
        if not rest:
            return None
        for resource in self.server.kubernetes.resources():
            if (resource.group, resource.version, resource.plural) == (group, version, rest[0]):
                return resource, namespace, rest[1] if len(rest) > 1 else None, rest[2:]
        return None

    def _of_resource(
        self,
        user: User,
        found: tuple[Resource, str | None, str | None, list[str]],
        query: dict[str, str],
        content: bytes,
    ) -> Answer:
        resource, namespace, name, rest = found
        verb = _VERBS.get(self.command, "get" if name else "list")
        content_type = self.headers.get("Content-Type") or ""
        asked = Asked(
            verb, resource, namespace, name, rest[0] if rest else "", query, content_type, None,
            user,
        )  # fmt: skip
        fault = self._fault(asked)
        if fault is not None and not fault.acted:
            return self._recorded(asked, fault.to_answer())
        try:
            self._check_access(asked)
            if asked.full_resource == "services/proxy":
                return self._recorded(asked, self._proxied(asked, rest[1:], content))
            answer = self.server.kubernetes.answer(asked._replace(body=_decoded(content, verb)))
        except Problem as problem:
            answer = json_answer(problem.code, problem.to_status())
        except Exception as error:
            # For who wrote the test: this server did not expect the request.
            answer = json_answer(500, Problem(500, "InternalError", repr(error)).to_status())
        return self._recorded(asked, answer if fault is None else fault.to_answer())

    def _fault(self, asked: Asked) -> Fault | None:
        what = f"{asked.verb} {asked.full_resource} {asked.name or ''}"
        for fault in self.server.kubernetes.faults:
            if fault.matching in what and fault.times_left >= 1:
                fault.times_left -= 1
                return fault
        return None

    def _recorded(self, asked: Asked, answer: Answer) -> Answer:
        verb, group, full, namespace, name = asked.wish
        call = Call(
            verb, group, full, namespace is not None, namespace, name, answer.status,
            asked.user.name,
        )  # fmt: skip
        self.server.kubernetes.calls.append(call)
        return answer

    def _check_access(self, asked: Asked) -> None:
        if self.server.kubernetes.is_allowed(asked.user, asked.wish):
            return
        named = f' "{asked.name}"' if asked.name else ""
        where = "at the cluster scope"
        if asked.namespace is not None:
            where = f'in the namespace "{asked.namespace}"'
        raise Problem(
            403,
            "Forbidden",
            f'{asked.group_resource}{named} is forbidden: User "{asked.user.name}" cannot '
            f'{asked.verb} resource "{asked.full_resource}" in API group '
            f'"{asked.resource.group}" {where}',
        )

    def _proxied(self, asked: Asked, path: list[str], content: bytes) -> Answer:
        # [scheme:]name[:port]
        parts = (asked.name or "").split(":")
        service = parts[1] if parts[0] in ("http", "https") else parts[0]
        url = self.server.kubernetes.services.get((asked.namespace or "", service))
        if url is None:
            raise Problem(503, "ServiceUnavailable", f'no endpoints available for "{service}"')
        query = urlsplit(self.path).query
        # The token was for the API server, which keeps it.
        headers = {
            key: value
            for key, value in self.headers.items()
            if key.lower() not in (*_HOP_BY_HOP, "authorization")
        }
        # A colon stays, as in `runs/ID:terminate`; some clients write slashes as %2F.
        quoted = quote("/".join(path), safe="/:")
        request = urllib.request.Request(
            f"{url}/{quoted}{'?' if query else ''}{query}",
            content or None,
            headers,
            method=self.command,
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                kind = response.headers.get("Content-Type", "")
                return Answer(response.status, kind, response.read())
        except urllib.error.HTTPError as error:
            return Answer(error.code, error.headers.get("Content-Type", ""), error.read())

    def _discovered(self, path: str) -> Object | None:
        kubernetes = self.server.kubernetes
        if path == "/version":
            major, minor = kubernetes.version.lstrip("v").split(".")[:2]
            named = ("gitCommit", "gitTreeState", "buildDate", "goVersion", "compiler", "platform")
            said = dict.fromkeys(named, "test")
            return {"major": major, "minor": minor, "gitVersion": kubernetes.version, **said}
        resources = kubernetes.resources()
        parts = path.strip("/").split("/")
        version = "/".join(parts[1:])
        rows = [r for r in resources if r.api_version == version]
        if not rows or parts[0] != ("apis" if rows[0].group else "api"):
            return None
        return {
            "kind": "APIResourceList",
            "apiVersion": "v1",
            "groupVersion": version,
            "resources": [
                {
                    "name": row.plural,
                    "singularName": row.kind.lower(),
                    "namespaced": row.namespaced,
                    "kind": row.kind,
                    "verbs": ["create", "delete", "get", "list", "patch", "update"],
                }
                for row in rows
            ],
        }


def _decoded(content: bytes, verb: str) -> Any:
    if not content:
        return None
    try:
        # Only a patch has a use for null.
        return json.loads(content, object_hook=None if verb == "patch" else _without_null)
    except ValueError:
        raise Problem(400, "BadRequest", "the object provided is unrecognized") from None


def _without_null(fields: Object) -> Object:
    return {key: value for key, value in fields.items() if value is not None}
