"""NVIDIA's Triton as a process of its own, started as people start it.

def test_something(tmp_path: Path) -> None:
    with running_triton(repository, tmp_path / "log") as triton:
        triton.client.get("/v2/health/ready")
"""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

_ROOT = Path(__file__).resolve().parents[2]
_READY_SECONDS = 60.0


@dataclass(frozen=True)
class Triton:
    """A server that runs, on 127.0.0.1.

    Attributes:
        client: Asks it over HTTP.
        grpc_address: Host and port.
        metrics_url: Of Prometheus metrics.
        process: The server.
        log: What it writes.
    """

    client: httpx.Client
    grpc_address: str
    metrics_url: str
    process: subprocess.Popen[bytes]
    log: Path

    def count(self, metric: str, model: str) -> int:
        """The value of a metric of a model."""
        for line in httpx.get(self.metrics_url).text.splitlines():
            if line.startswith(f"{metric}{{") and f'model="{model}"' in line:
                return round(float(line.rsplit(" ", 1)[1]))
        raise AssertionError(f"no {metric} of {model}")

    def stop(self) -> int:
        """End it in order; gives the exit code back."""
        self.client.close()
        self.process.terminate()
        return self.process.wait(40)


@contextmanager
def running_triton(repository: Path, log: Path) -> Iterator[Triton]:
    """Start Triton on a model repository, wait until it is ready, and end it afterwards."""
    with log.open("wb") as output:
        ports = _free_ports(3)
        http, grpc, metrics = ports
        command = [sys.executable, "-m", "serving.triton", "start", str(repository)]
        for option, port in zip(("http", "grpc", "metrics"), ports, strict=True):
            command += [f"--{option}-port", str(port)]
        process = subprocess.Popen(command, cwd=_ROOT, stdout=output, stderr=subprocess.STDOUT)
    client = httpx.Client(
        base_url=f"http://127.0.0.1:{http}",
        timeout=60,
        # For a connection that is open, though nobody uses it, Triton waits before it ends.
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
    )
    triton = Triton(
        client=client,
        grpc_address=f"127.0.0.1:{grpc}",
        metrics_url=f"http://127.0.0.1:{metrics}/metrics",
        process=process,
        log=log,
    )
    try:
        _wait(triton)
        yield triton
    finally:
        try:
            triton.stop()
        finally:
            process.kill()


def _wait(triton: Triton) -> None:
    until = time.monotonic() + _READY_SECONDS
    while time.monotonic() < until and triton.process.poll() is None:
        with suppress(httpx.TransportError):
            if triton.client.get("/v2/health/ready").status_code == 200:
                return
        time.sleep(0.05)
    raise AssertionError(f"Triton did not start:\n{triton.log.read_text()}")


def _free_ports(count: int) -> list[int]:
    # Triton takes no port 0. All are open at once, so that they differ.
    with ExitStack() as stack:
        sockets = [
            stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)
        ]
        return [server.getsockname()[1] for server in sockets]
