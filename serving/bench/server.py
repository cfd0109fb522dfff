"""A server under measurement: started, held still while others are measured, stopped."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from sub_module.errors import PlateflowError

_READY_SECONDS = 60.0
_STOP_SECONDS = 20.0
ROOT = Path(__file__).resolve().parents[2]


class BenchError(PlateflowError):
    """A server did not start, or its answers are not to be counted."""


@dataclass(frozen=True)
class Command:
    """How to start a server.

    Attributes:
        argv: The program and its arguments.
        environment: Beside this process's own.
        folder: Where it starts and may write.
    """

    argv: Sequence[str]
    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)


class Server:
    """The processes of one server, a group of their own.

    Attributes:
        start_seconds: From its start to the first good answer.
    """

    def __init__(self, command: Command, port: int) -> None:
        """Start it.

        Args:
            command: How.
            port: Where it is to answer.
        """
        self.port, self._name = port, command.folder.name
        self.start_seconds = float("nan")
        self._family: list[psutil.Process] = []
        self._log = command.folder / "output.log"
        self._started = time.perf_counter()
        environment = os.environ | {"PYTHONPATH": str(ROOT)} | dict(command.environment)
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command.argv,
                cwd=command.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_ready(self, request: bytes) -> None:
        """Ask until it answers.

        Raises:
            BenchError: It ended, or does not answer in time; with the end of its output.
        """
        while not _answers(self.port, request):
            if self._process.poll() is not None:
                raise BenchError(f"{self._name} ended while starting: {self._last_words()}")
            if time.perf_counter() - self._started > _READY_SECONDS:
                raise BenchError(
                    f"{self._name} does not answer after {_READY_SECONDS:.0f} s: "
                    f"{self._last_words()}"
                )
            time.sleep(0.02)
        self.start_seconds = time.perf_counter() - self._started
        self._find_family()

    def hold(self) -> None:
        """Take the processor from all its processes."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Give it back."""
        self._signal(signal.SIGCONT)
        self._find_family()

    def megabytes(self) -> float:
        """Memory of all its processes; what several share counts once (PSS, on Linux)."""
        total = 0
        for process in self._family:
            with suppress(psutil.Error):
                memory = process.memory_full_info()
                total += getattr(memory, "pss", memory.rss)
        return total / 1e6

    def cpu_seconds(self) -> float:
        """Processor time of all its processes so far."""
        total = 0.0
        for process in self._family:
            with suppress(psutil.Error):
                times = process.cpu_times()
                total += times.user + times.system
        return total

    def stop(self) -> None:
        """End it, politely first."""
        self.go_on()
        self._signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_STOP_SECONDS)
        self._signal(signal.SIGKILL)
        self._process.wait()

    def _find_family(self) -> None:
        # A tenth of a second where a machine has many processes: once a turn, not at every look.
        with suppress(psutil.Error):
            parent = psutil.Process(self._process.pid)
            self._family = [parent, *parent.children(recursive=True)]

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    def _last_words(self) -> str:
        lines = self._log.read_text(errors="replace").strip().splitlines()
        return " / ".join(lines[-3:]) or "it said nothing"


def free_ports(count: int) -> list[int]:
    """Ports of this machine that nothing listens on now."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _answers(port: int, request: bytes) -> bool:
    """Whether a request gets a good answer now."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=_READY_SECONDS) as connection:
            connection.sendall(request)
            response = http.client.HTTPResponse(connection)
            response.begin()
            response.read()
            return response.status == 200
    except (OSError, http.client.HTTPException):
        return False
