"""The server itself: HTTP, the gate before it, the faults, and the operations behind."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email import policy
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

from tests.servers.kfp import experiments, pipelines, runs, schedules, swagger
from tests.servers.kfp.answers import Answer, RefusedError, as_json, as_page, as_text, invalid
from tests.servers.kfp.faults import Fault
from tests.servers.kfp.login import Gate
from tests.servers.kfp.rows import Pipeline, Schedule, Version
from tests.servers.kfp.run import Run
from tests.servers.kfp.spec import parse_yaml
from tests.servers.kfp.state import SERVER_NAMESPACE, Request, State

_HEALTH = {"commit_sha": "4a3592cb2d", "pipeline_store": "database"}
_LONGEST_REQUEST = 64 << 20

_HANDLERS: dict[str, Callable[[State, Request], dict[str, Any]]] = {
    "CreatePipeline": pipelines.create_pipeline,
    "ListPipelines": pipelines.list_pipelines,
    "DeletePipeline": pipelines.delete_pipeline,
    "ListPipelineVersions": pipelines.list_versions,
    "GetPipelineVersion": pipelines.get_version,
    "DeletePipelineVersion": pipelines.delete_version,
    "UploadPipelineVersion": pipelines.upload_version,
    "CreateExperiment": experiments.create_experiment,
    "ListExperiments": experiments.list_experiments,
    "DeleteExperiment": experiments.delete_experiment,
    "CreateRun": runs.create_run,
    "GetRun": runs.get_run,
    "ListRuns": runs.list_runs,
    "DeleteRun": runs.delete_run,
    "TerminateRun": runs.terminate_run,
    "CreateRecurringRun": schedules.create_schedule,
    "ListRecurringRuns": schedules.list_schedules,
    "EnableRecurringRun": schedules.enable_schedule,
    "DisableRecurringRun": schedules.disable_schedule,
    "DeleteRecurringRun": schedules.delete_schedule,
}


@dataclass(frozen=True)
class Asked:
    """One request and the status of its answer; 0: the connection was cut.

    Attributes:
        path: Without the server's prefix and without the query.
        body: Of JSON, what it says; of an upload, its content.
    """

    method: str
    path: str
    query: Mapping[str, str]
    body: Any
    status: int


class KfpServer(State):
    """A KFP API server; what `State` says, and:

    Attributes:
        url: What a client is told as its host.
        requests: All so far, but those of the login.
        faults: What goes wrong from now on; see `fail`.
        broken: Answers that the real server would not give, and mistakes of this one; `serve_kfp`
            fails with them when it ends.
    """

    def __init__(self, folder: Path, multi_user: bool, gate: Gate | None, prefix: str) -> None:
        super().__init__(folder, multi_user)
        self.gate = gate
        self.prefix = prefix
        self.url = ""
        self.requests: list[Asked] = []
        self.faults: list[Fault] = []
        self.broken: list[str] = []
        # Requests are answered one after another.
        self.lock = threading.RLock()

    def fail(
        self,
        matching: str,
        status: int = 0,
        *,
        when: Literal["before", "within", "after"] = "before",
        times: float = 1,
        headers: dict[str, str] | None = None,
        delay_seconds: float = 0.0,
    ) -> Fault:
        """Let requests fail whose `METHOD /path?query` matches; see `Fault`."""
        fault = Fault(matching, status, when, times, headers or {}, delay_seconds=delay_seconds)
        self.faults.append(fault)
        return fault

    def asked(self, method: str, ending: str) -> list[Asked]:
        """The requests of this method whose path ends so."""
        return [a for a in self.requests if a.method == method and a.path.endswith(ending)]

    def pods(self, run: Run) -> list[dict[str, Any]]:
        """Manifests of a run's pods, to put into a cluster."""
        return list(run.pods(run.namespace or SERVER_NAMESPACE))

    def pod_logs(self, run: Run) -> dict[str, str]:
        """What the container `main` of each of a run's pods has said."""
        return {
            node.pod: run.logs.get(node.task, "")
            for node in run.nodes
            if node.template and node.state
        }

    def fire(self, schedule: Schedule) -> Run | None:
        """The time of a schedule has come; None: it is off."""
        with self.lock:
            return schedules.fire(self, schedule)

    def add_pipeline(self, name: str, namespace: str = "") -> Pipeline:
        """A pipeline without a request."""
        pipeline = Pipeline(name, name, "", namespace, self.clock.now())
        self.pipelines[pipeline.id] = pipeline
        return pipeline

    def add_version(
        self, pipeline: Pipeline, name: str, content: bytes | dict[str, Any], description: str = ""
    ) -> Version:
        """A version without a request: its YAML, or anything that the API shall show for it."""
        spec = parse_yaml(content).shown() if isinstance(content, bytes) else content
        version = Version(
            pipeline.id,
            name,
            name,
            description,
            self.clock.now(),
            spec,
            content if isinstance(content, bytes) else b"",
        )
        self.versions[version.id] = version
        return version

    def answer(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[Answer, Asked]:
        """Answer a request; status 0: close the connection."""
        parts = urlsplit(target)
        path = parts.path
        given = parse_qs(parts.query, keep_blank_values=True)
        query = {name: values[0] for name, values in given.items()}
        content: Any = None
        fault = self.fault(f"{method} {target}", {"before", "after"})
        if fault is not None and fault.when != "after":
            fault.wait()
            answer = Answer(fault.status, fault.body, fault.headers)
        else:
            try:
                answer, content = self._through_gate(
                    method, path, parts.query, given, headers, body
                )
            except Exception as error:
                self.broken.append(f"{method} {path}: {type(error).__name__}: {error}")
                answer = as_text(500, "the server of the tests is broken")
            if fault is not None:
                fault.wait()
                answer = Answer(fault.status, fault.body, fault.headers)
        path = path.removeprefix(self.prefix)
        return answer, Asked(method, path, query, content, answer.status)

    def fault(self, request: str, when: set[str]) -> Fault | None:
        """The one that happens to a request, if one does."""
        with self.lock:
            return next((f for f in self.faults if f.when in when and f.takes(request)), None)

    def _through_gate(
        self,
        method: str,
        path: str,
        raw_query: str,
        query: dict[str, list[str]],
        headers: Mapping[str, str],
        body: bytes,
    ) -> tuple[Answer, Any]:
        if self.gate is not None:
            own = self.gate.page(method, path, raw_query, body, headers)
            if own is not None:
                return own, None
            if not self.gate.knows(headers):
                return self.gate.turn_away(path), None
        if not path.startswith(self.prefix):
            return as_text(404, "no healthy upstream"), None
        path = path.removeprefix(self.prefix)
        if not path.startswith("/apis/"):
            # The user interface.
            return as_page(200, "<!doctype html><title>Kubeflow Pipelines</title>"), None
        return self._api(method, path, query, headers, body)

    def _api(
        self,
        method: str,
        path: str,
        query: dict[str, list[str]],
        headers: Mapping[str, str],
        body: bytes,
    ) -> tuple[Answer, Any]:
        if path == "/apis/v2beta1/healthz":
            health = {**_HEALTH, "tag_name": self.version, "multi_user": self.multi_user}
            return as_json(200, health), None
        route = swagger.find_operation(method, path)
        if route is None or route[0].name not in _HANDLERS:
            known = swagger.knows_path(path)
            code, reason = (
                ("Unimplemented", "Method Not Allowed") if known else ("NotFound", "Not Found")
            )
            refusal = RefusedError(code, reason)
            return as_json(refusal.status, {**refusal.body(), "details": []}), None
        operation, named = route
        content: Any = None
        try:
            checked = swagger.check_query(operation, query)
            if operation.is_upload:
                file = _uploaded(headers, body)
                content = file and file[1]
                request = Request(named, checked, None, file)
            else:
                content = _loaded(operation, headers, body)
                swagger.check_body(operation, content)
                request = Request(named, checked, content)
            with self.lock:
                data = _HANDLERS[operation.name](self, request)
                status, encoded = 200, json.dumps(data)
        except RefusedError as refusal:
            if operation.is_upload:
                return _refused_upload(refusal), content
            status, encoded = refusal.status, json.dumps(refusal.body())
        swagger.check_response(operation, status, json.loads(encoded))
        return Answer(status, encoded.encode(), {"Content-Type": "application/json"}), content


@contextmanager
def serve_kfp(
    folder: Path,
    multi_user: bool = False,
    login: Gate | None = None,
    tls: ssl.SSLContext | None = None,
    prefix: str = "",
) -> Iterator[KfpServer]:
    """A KFP API server of this process.

    Args:
        folder: An existing directory, for runs that are run for real.
        multi_user: Namespaces belong to users.
        login: What stands before it.
        tls: The server's own certificate; None: plain HTTP.
        prefix: Where it is behind a proxy, such as `/pipeline`.
    """
    server = KfpServer(folder, multi_user, login, prefix)
    http = _Http(("127.0.0.1", 0), _Handler)
    http.kfp = server
    if tls is not None:
        http.socket = tls.wrap_socket(http.socket, server_side=True, do_handshake_on_connect=False)
    scheme = "http" if tls is None else "https"
    # Certificates name it so.
    server.url = f"{scheme}://localhost:{http.server_port}{prefix}"
    thread = threading.Thread(target=http.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
        for progress in server.progress.values():
            progress.stop()
    assert not server.broken, server.broken


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    kfp: KfpServer

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away, and handshakes that fail, are no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Otherwise an answer's body waits for the acknowledgement of its headers.
    disable_nagle_algorithm = True
    timeout = 60

    def _handle(self) -> None:
        assert isinstance(self.server, _Http)
        kfp = self.server.kfp
        length = int(self.headers.get("Content-Length", 0))
        if kfp.fault(f"{self.command} {self.path}", {"within"}):
            self.rfile.read(length // 2)
            kfp.requests.append(Asked(self.command, urlsplit(self.path).path, {}, None, 0))
            self._cut()
            return
        body = self.rfile.read(min(length, _LONGEST_REQUEST))
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer, asked = kfp.answer(self.command, self.path, headers, body)
        if not asked.path.startswith(("/oauth2/", "/dex/")):
            kfp.requests.append(asked)
        if not answer.status:
            self._cut()
            return
        # A client that was killed does not wait for its answer.
        with suppress(ConnectionError):
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

    def _cut(self) -> None:
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(2)

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = _handle  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet."""


def _loaded(operation: swagger.Operation, headers: Mapping[str, str], body: bytes) -> Any:
    if operation.body is None and body in {b"", b"{}"}:
        # Of a DELETE, clients may send an empty one.
        return None
    kind = headers.get("content-type", "").partition(";")[0]
    if kind != "application/json":
        raise invalid(f"{operation.name}: Content-Type is {kind!r}, not application/json")
    try:
        return json.loads(body)
    except ValueError as error:
        raise RefusedError("InvalidArgument", f"proto: syntax error: {error}") from error


def _uploaded(headers: Mapping[str, str], body: bytes) -> tuple[str, bytes] | None:
    """Name and content of the file in a form."""
    kind = headers.get("content-type", "")
    if not kind.startswith("multipart/form-data"):
        return None
    whole = f"Content-Type: {kind}\r\n\r\n".encode() + body
    for part in BytesParser(policy=policy.HTTP).parsebytes(whole).iter_parts():
        if part.get_param("name", header="content-disposition") == "uploadfile":
            content = part.get_payload(decode=True)
            return str(part.get_filename() or ""), content if isinstance(content, bytes) else b""
    return None


def _refused_upload(refusal: RefusedError) -> Answer:
    """The uploads are no gRPC and say it in their own way, some of it in plain words."""
    if "length cannot exceed" in refusal.outside:
        return as_text(refusal.status, refusal.message + "\n")
    message = refusal.outside
    if refusal.code == "AlreadyExists":
        # It does not say what is there already.
        message = "Failed to create a pipeline version"
    return as_json(refusal.status, {"error_message": message, "error_details": message})
