"""Several processes that share the server's ports."""

from __future__ import annotations

import logging
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from prometheus_client.multiprocess import mark_process_dead

from serving.predictor.logs import configure_logs
from sub_module.errors import ModelError, PlateflowError

_log = logging.getLogger(__name__)
# What a worker runs: serves until it is told to stop, and calls this once it answers.
Serving = Callable[[Callable[[], None]], None]
_READY = "ready"


@dataclass
class _Worker:
    process: BaseProcess
    pipe: Connection
    ready: bool = False


class Workers:
    """Starts processes, starts another where one dies, and stops them together."""

    def __init__(self, count: int, serving: Serving, on_ready: Callable[[], None]) -> None:
        """Processes that do not run yet.

        Args:
            count: Of processes.
            serving: What each runs; it is pickled.
            on_ready: Called here once all answer.
        """
        self._count = count
        self._serving = serving
        self._on_ready = on_ready
        self._announced = False
        self._stopping = False
        self._workers: list[_Worker] = []
        # Each process needs its own interpreter: threads do not survive a fork.
        self._context = multiprocessing.get_context("spawn")

    def run(self) -> None:
        """Serve until SIGTERM or Ctrl-C.

        Raises:
            PlateflowError: A process cannot start.
        """
        metrics = tempfile.mkdtemp(prefix="plateflow-metrics-")
        # prometheus_client looks for it when it is imported, in each process.
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = metrics
        before = {
            number: signal.signal(number, self._stop) for number in (signal.SIGTERM, signal.SIGINT)
        }
        try:
            for _ in range(self._count):
                self._start()
            while self._workers:
                self._look()
        finally:
            for worker in self._workers:
                worker.process.kill()
            for number, handler in before.items():
                signal.signal(number, handler)
            del os.environ["PROMETHEUS_MULTIPROC_DIR"]
            shutil.rmtree(metrics, ignore_errors=True)

    def _stop(self, *_: object) -> None:
        # A second signal means it.
        for worker in self._workers:
            (worker.process.kill if self._stopping else worker.process.terminate)()
        self._stopping = True

    def _start(self) -> None:
        pipe, child_end = self._context.Pipe()
        process = self._context.Process(target=_work, args=(self._serving, child_end))
        process.start()
        # So that the pipe ends with the process.
        child_end.close()
        self._workers.append(_Worker(process, pipe))
        # A signal that came meanwhile did not find it.
        if self._stopping:
            process.terminate()

    def _look(self) -> None:
        """Wait for news, half a second at most, and act on them."""
        wait([thing for w in self._workers for thing in (w.pipe, w.process.sentinel)], timeout=0.5)
        for worker in list(self._workers):
            # Asked first: a process says what it has to say before it ends.
            alive = worker.process.is_alive()
            self._hear(worker)
            if not alive:
                self._bury(worker)
        if not self._announced and self._workers and all(w.ready for w in self._workers):
            self._announced = True
            self._on_ready()

    def _hear(self, worker: _Worker) -> None:
        try:
            if not worker.pipe.poll():
                return
            news = worker.pipe.recv()
        except (EOFError, OSError):
            return
        if news != _READY:
            raise ModelError(news)
        worker.ready = True

    def _bury(self, worker: _Worker) -> None:
        """A process ended: others go on, and a new one takes its place."""
        worker.process.join()
        worker.pipe.close()
        mark_process_dead(worker.process.pid)  # type: ignore[no-untyped-call]
        self._workers.remove(worker)
        if self._stopping:
            return
        code = worker.process.exitcode
        if not worker.ready:
            raise ModelError(f"a worker ended before it was ready, with exit code {code}")
        _log.error("worker %s ended with exit code %s; starting another", worker.process.pid, code)
        self._start()


def _work(serving: Serving, pipe: Connection) -> None:
    """What a process does."""
    configure_logs()
    threading.Thread(target=_stop_with_parent, args=(pipe,), daemon=True).start()
    try:
        serving(lambda: pipe.send(_READY))
    except PlateflowError as error:
        pipe.send(str(error))
        sys.exit(2)


def _stop_with_parent(pipe: Connection) -> None:
    # Nothing is ever sent this way: the pipe's end is the parent's.
    try:
        pipe.recv()
    except (EOFError, OSError):
        os.kill(os.getpid(), signal.SIGTERM)
