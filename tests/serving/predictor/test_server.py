"""The server's start and stop, its processes, and what it tells others."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import grpc
import httpx
import psutil
import pytest
from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb
from kserve.protocol.grpc.grpc_predict_v2_pb2_grpc import GRPCInferenceServiceStub
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from serving.predictor.__main__ import main
from tests.servers.predictor import (
    ROOT,
    SAMPLE_TEXTS,
    Predictor,
    running_predictor,
    texts_of,
    wait_until,
)


def start(*arguments: str) -> subprocess.CompletedProcess[str]:
    """A start that fails."""
    return subprocess.run(
        [sys.executable, "-m", "serving.predictor", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )


@contextmanager
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


@pytest.mark.parametrize("field", ["http_port", "grpc_port"])
def test_port_that_is_taken(field: str) -> None:
    ports = {"http_port": 0, "grpc_port": 0}
    with taken_port() as port:
        given = [f"--set={name}={number}" for name, number in (ports | {field: port}).items()]
        done = start(*given)
    assert done.returncode == 2
    assert done.stderr == (
        f"error: {field}: cannot listen at 127.0.0.1:{port}: Address already in use\n"
    )


@pytest.mark.parametrize(
    ("setting", "reason"),
    [("limits.queud_images=3", "limits.queud_images"), ("workers=0", "workers: ")],
)
def test_settings_that_cannot_be_used(
    setting: str, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--set=http_port=0", f"--set={setting}"]) == 2
    told = capsys.readouterr().err
    assert told.startswith("error: ")
    assert reason in told
    assert told.count("\n") == 1


def test_precision_that_the_model_has_not() -> None:
    done = start("--set=http_port=0", "--set=grpc_port=0", "--set=engine.precision=int3")
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert "the model has no precision 'int3'" in done.stderr
    assert done.stderr.count("\n") == 1


def test_model_that_is_damaged(tmp_path: Path) -> None:
    """Workers tell their parent, who says it once."""
    shutil.copytree(ROOT / "models" / "platenet-kr", tmp_path / "model")
    for graph in tmp_path.glob("model/*.onnx"):
        graph.write_bytes(graph.read_bytes()[:1000])
    ports = ("--set=http_port=0", "--set=grpc_port=0")
    done = start(f"--model={tmp_path / 'model'}", *ports, "--set=workers=2")
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {tmp_path / 'model'}/")
    assert ".onnx: damaged: " in done.stderr
    assert done.stderr.count("\n") == 1


def test_ready_only_once_it_answers(tmp_path: Path) -> None:
    """While the model loads the server is alive, not ready, and says so to who asks."""
    port = free_port()
    settings = [f"--set=http_port={port}", "--set=grpc_port=0"]
    process = subprocess.Popen(
        [sys.executable, "-m", "serving.predictor", *settings], cwd=ROOT, stdout=subprocess.PIPE
    )
    url = f"http://127.0.0.1:{port}"
    seen = set()
    try:
        until = time.monotonic() + 60
        # The port is open before anything is loaded, so that no one is turned away.
        while (200, 200) not in seen and time.monotonic() < until:
            try:
                with httpx.Client(base_url=url, timeout=60) as client:
                    ready = client.get("/v2/health/ready").status_code
                    read = client.post("/read", content=b"").status_code
            except httpx.ConnectError:
                continue
            # An empty image is refused by who could read one.
            seen.add((ready, 200 if read == 400 else read))
    finally:
        process.terminate()
        process.communicate(timeout=30)
    # Between the two questions it may have become ready.
    assert {(503, 503), (200, 200)} <= seen <= {(503, 503), (503, 200), (200, 200)}


def free_port() -> int:
    with taken_port() as port:
        return port


def ask(server: Predictor, image: bytes) -> int:
    return httpx.post(f"{server.url}/read", content=image, timeout=30).status_code


def test_drain(sample: bytes) -> None:
    """SIGTERM: what is in flight is answered, what is new is sent elsewhere, the exit code is 0."""
    with running_predictor() as server, grpc.insecure_channel(server.grpc_address) as channel:
        stub = GRPCInferenceServiceStub(channel)
        begun, late = (http.client.HTTPConnection("127.0.0.1", server.port) for _ in range(2))
        # Their connections are there before the end begins.
        late.request("GET", "/v2/health/ready")
        assert late.getresponse().read() == b'{"ready":true}'
        assert stub.ServerReady(pb.ServerReadyRequest()).ready
        begun.putrequest("POST", "/read")
        begun.putheader("Content-Length", str(len(sample)))
        begun.endheaders(sample[:1000])
        wait_until(lambda: ask(server, sample) == 200)
        server.process.send_signal(signal.SIGTERM)
        wait_until(lambda: not stub.ServerReady(pb.ServerReadyRequest()).ready)
        late.request("POST", "/read", sample)
        refused = late.getresponse()
        assert (refused.status, refused.headers["Retry-After"]) == (503, "1")
        assert b"the server is stopping" in refused.read()
        with pytest.raises(grpc.RpcError) as caught:
            stub.ModelInfer(pb.ModelInferRequest(model_name="plateflow"))
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        begun.send(sample[1000:])
        assert texts_of(json.loads(begun.getresponse().read())) == SAMPLE_TEXTS
        assert server.process.wait(20) == 0


def test_workers(sample: bytes) -> None:
    """Two processes share the ports and the metrics; one that dies is replaced.

    A client that is too slow for `drain_seconds` does not hold them.
    """
    with running_predictor("workers=2", "drain_seconds=0.5") as server, ExitStack() as slow:
        workers = pids_of_workers(server)
        assert len(workers) == 2
        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(ask, [server] * 40, [sample] * 40)) == [200] * 40
        counted = 'plateflow_requests_total{code="200",protocol="read"} 40.0'
        # Of both, whoever answers.
        assert all(counted in httpx.get(f"{server.url}/metrics").text for _ in range(6))
        with grpc.insecure_channel(server.grpc_address) as channel:
            stub = GRPCInferenceServiceStub(channel)
            assert stub.ServerReady(pb.ServerReadyRequest()).ready
        os.kill(workers.pop(), signal.SIGKILL)
        wait_until(lambda: len(pids_of_workers(server) - workers) == 1, 20)
        # The new one takes no part before it can.
        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(ask, [server] * 40, [sample] * 40)) == [200] * 40
        assert "starting another" in server.log.read_text()
        for _ in range(4):
            connection = socket.create_connection(("127.0.0.1", server.port))
            slow.enter_context(connection).sendall(
                b"POST /read HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nthe beginning"
            )
        workers = pids_of_workers(server)
        assert server.stop(seconds=10) == 0
        assert not any(map(psutil.pid_exists, workers))


def test_stop_while_workers_start() -> None:
    command = [sys.executable, "-m", "serving.predictor", "--set=workers=2"]
    command += ["--set=http_port=0", "--set=grpc_port=0"]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL) as process:
        parent = psutil.Process(process.pid)
        # multiprocessing's tracker, then the first worker.
        wait_until(lambda: len(parent.children()) > 1)
        children = parent.children()
        process.terminate()
        assert process.wait(10) == 0
    assert not psutil.wait_procs(children, 5)[1]


def pids_of_workers(server: Predictor) -> set[int]:
    found = set()
    for child in psutil.Process(server.process.pid).children():
        # One that has just died has no command line any more.
        with suppress(psutil.NoSuchProcess):
            if "spawn_main" in " ".join(child.cmdline()):
                found.add(child.pid)
    return found


class _Collector(BaseHTTPRequestHandler):
    """Takes OpenTelemetry's spans."""

    spans: list[Any]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        message = ExportTraceServiceRequest.FromString(body)
        for resource in message.resource_spans:
            for scope in resource.scope_spans:
                self.spans.extend(scope.spans)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


def test_traces(sample: bytes) -> None:
    """Spans of a request and its stages, below the client's own."""
    spans: list[Any] = []
    handler = type("Handler", (_Collector,), {"spans": spans})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as collector:
        threading.Thread(target=collector.serve_forever, daemon=True).start()
        endpoint = f"http://127.0.0.1:{collector.server_port}"
        environment = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
            "OTEL_EXPORTER_OTLP_COMPRESSION": "none",
        }
        with running_predictor(environment=environment) as server:
            trace_id, span_id = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
            response = httpx.post(
                f"{server.url}/read",
                content=sample,
                headers={"traceparent": f"00-{trace_id}-{span_id}-01", "X-Request-Id": "traced"},
            )
            assert texts_of(response.json()) == SAMPLE_TEXTS
            # What is not sent yet is sent at the end, here by Ctrl-C.
            assert server.stop(signal.SIGINT) == 0
            assert server.log.read_text().count("\n") == 1, server.log.read_text()
        collector.shutdown()
    by_name = {span.name: span for span in spans}
    root = by_name["plateflow.request"]
    assert (root.trace_id.hex(), root.parent_span_id.hex()) == (trace_id, span_id)
    assert {"key": "request.id", "value": "traced"} in [
        {"key": attribute.key, "value": attribute.value.string_value}
        for attribute in root.attributes
    ]
    stages = [by_name[f"plateflow.{stage}"] for stage in ("queue", "decode", "read")]
    assert {stage.parent_span_id for stage in stages} == {root.span_id}
    times = [root.start_time_unix_nano]
    for stage in stages:
        times += [stage.start_time_unix_nano, stage.end_time_unix_nano]
    assert times == sorted(times)
