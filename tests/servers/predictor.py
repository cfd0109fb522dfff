"""The model server as a process of its own, as a container runs it, with the shipped model.

def test_something(predictor: Predictor) -> None:
    httpx.post(f"{predictor.url}/read", content=image)
"""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

_READY_SECONDS = 60.0
# What stands on the plates of docs/samples/motorcycle.jpg, sorted.
SAMPLE_TEXTS = ["16E9927", "97E5786"]
ROOT = Path(__file__).resolve().parents[2]
# What the server prints once it answers.
_ANNOUNCED = re.compile(r"at (http://\S+?)(?:, gRPC at (\S+))? \(")


@dataclass(frozen=True)
class Predictor:
    """A server that runs.

    Attributes:
        url: Of HTTP, without a slash at its end.
        grpc_address: Host and port; empty where it was started without gRPC.
        process: The one that was started; with several workers their parent.
        log: What it writes to standard error.
    """

    url: str
    grpc_address: str
    process: subprocess.Popen[str]
    log: Path

    @property
    def port(self) -> int:
        """Of HTTP, on 127.0.0.1."""
        return int(self.url.rsplit(":", 1)[1])

    def stop(self, number: int = signal.SIGTERM, seconds: float = 30) -> int:
        """Send a signal; gives the exit code back."""
        self.process.send_signal(number)
        return self.process.wait(seconds)

    def memory_mb(self) -> float:
        """What the process and its children hold now, in MB."""
        process = psutil.Process(self.process.pid)
        family = [process, *process.children(recursive=True)]
        return sum(member.memory_info().rss for member in family) / 1e6


@contextmanager
def running_predictor(
    *settings: str, environment: Mapping[str, str] | None = None, model: Path | None = None
) -> Iterator[Predictor]:
    """Start a server on free ports, and end it afterwards.

    Args:
        settings: `KEY=VALUE` of `configs/serving/predictor.py`.
        environment: Beside this process's own.
        model: None: the one that comes with Plateflow.
    """
    model = model or ROOT / "models" / "platenet-kr"
    command = [sys.executable, "-m", "serving.predictor", "--model", str(model)]
    for setting in ("http_port=0", "grpc_port=0", *settings):
        command += ["--set", setting]
    with tempfile.TemporaryDirectory(prefix="predictor-") as directory:
        log = Path(directory, "log")
        with log.open("w") as errors:
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                env={**os.environ, **(environment or {})},
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        try:
            url, grpc_address = _wait(process, log)
            yield Predictor(url, grpc_address, process, log)
        finally:
            _end(process)


def _wait(process: subprocess.Popen[str], log: Path) -> tuple[str, str]:
    assert process.stdout is not None
    # It prints the line, or ends.
    assert select.select([process.stdout], [], [], _READY_SECONDS)[0], log.read_text()
    line = process.stdout.readline()
    found = _ANNOUNCED.search(line)
    assert found, f"the server did not start: {line}\n{log.read_text()}"
    return found[1], found[2] or ""


def _end(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            for child in psutil.Process(process.pid).children(recursive=True):
                child.kill()
            process.kill()
            process.wait()
    if process.stdout is not None:
        process.stdout.close()


def texts_of(answer: Mapping[str, Any]) -> list[str]:
    """The texts of an answer, sorted: which plate is surest differs between runtimes."""
    return sorted(plate["text"] for plate in answer["plates"])


def wait_until(is_so: Callable[[], bool], seconds: float = 10) -> None:
    """Wait for something to be so; fails when it is not in time."""
    until = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < until, f"not so after {seconds:g} s"
        time.sleep(0.01)


@pytest.fixture(scope="module")
def predictor() -> Iterator[Predictor]:
    """A server for all tests of a module; who stops or overloads one starts its own."""
    with running_predictor() as server:
        yield server
