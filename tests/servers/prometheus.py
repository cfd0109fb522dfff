"""Debian's Prometheus, as a process of its own."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.servers.predictor import wait_until


class Prometheus:
    """A server that runs."""

    def __init__(self, url: str) -> None:
        """A server at a URL."""
        self._http = httpx.Client(base_url=url)

    def ask(self, query: str) -> list[dict[str, Any]]:
        """The series that a query gives now: `labels` and `value` of each.

        Raises:
            AssertionError: It is no query.
        """
        answer = self._http.get("/api/v1/query", params={"query": query}).json()
        assert answer["status"] == "success", f"{query}: {answer.get('error')}"
        found = answer["data"]["result"]
        return [{"labels": row["metric"], "value": float(row["value"][1])} for row in found]

    def is_ready(self) -> bool:
        """Whether it answers."""
        try:
            return self._http.get("/-/ready").status_code == 200
        except httpx.TransportError:
            return False


@contextmanager
def running_prometheus(folder: Path, config: Mapping[str, Any]) -> Iterator[Prometheus]:
    """Start a server, and end it afterwards.

    Args:
        folder: Has the rule files that the config names; everything is written there.
        config: Of prometheus.yml.
    """
    program = shutil.which("prometheus")
    assert program, "no Prometheus; on Debian or Ubuntu: apt-get install prometheus"
    (folder / "prometheus.yml").write_text(yaml.safe_dump(dict(config)))
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    command = [
        program,
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={address}",
    ]
    log = folder / "log"
    with log.open("w") as written:
        process = subprocess.Popen(command, stdout=written, stderr=written)
    try:
        server = Prometheus(f"http://{address}")

        def answers() -> bool:
            assert process.poll() is None, log.read_text()
            return server.is_ready()

        wait_until(answers, 30)
        yield server
    finally:
        process.terminate()
        process.wait(20)
