"""Work side by side: in order, never far ahead, and never left behind."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dataset_tools import parallel
from dataset_tools.parallel import in_order
from sub_module.errors import DataError
from tests.standards import REPOSITORY


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("num_items", [0, 1, 16, 17, 500])
def test_results_come_in_order(num_items):
    items = list(range(num_items))
    assert list(in_order(str, items, 3)) == list(map(str, items))


def test_processes_do_the_same(monkeypatch):
    monkeypatch.setattr(parallel, "MIN_ITEMS_FOR_PROCESSES", 1)
    items = list(range(100))
    assert list(in_order(str, items, 2)) == list(map(str, items))


def test_work_is_never_far_ahead_of_who_asks():
    begun: list[int] = []
    results = in_order(begun.append, range(900), 2)
    next(results)
    # Three tasks a worker, and one more for the one that was given out.
    ahead = 16 * (2 * 3 + 1)
    deadline = time.monotonic() + 20
    while len(begun) < ahead and time.monotonic() < deadline:
        time.sleep(0.01)
    # Waits for the threads: nothing begins while nobody asks, nor afterwards.
    results.close()
    assert len(begun) == ahead


def test_failure_of_the_work_reaches_who_asks():
    results = in_order(int, ["1", "2", "x"], 2)
    with pytest.raises(ValueError, match="invalid literal"):
        list(results)


def test_killed_process_is_one_line(monkeypatch):
    monkeypatch.setattr(parallel, "MIN_ITEMS_FOR_PROCESSES", 1)
    with pytest.raises(DataError, match="was killed"):
        list(in_order(os._exit, [1] * 100, 2))
    assert not multiprocessing.active_children()


# Works for ever in two processes, whose numbers it prints.
_SCRIPT = """
import os, time
from dataset_tools import parallel
parallel.MIN_ITEMS_FOR_PROCESSES = 1
from tests.dataset_tools.test_parallel import say_and_wait
list(parallel.in_order(say_and_wait, range(1000), 2))
"""


def say_and_wait(_: int) -> None:
    """Print the number of the process and work a little."""
    os.write(1, b"%d\n" % os.getpid())
    time.sleep(0.01)


def test_processes_end_with_a_killed_parent():
    parent = subprocess.Popen(
        [sys.executable, "-c", _SCRIPT], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    workers: set[int] = set()
    while len(workers) < 2:
        line = parent.stdout.readline()
        assert line, "it ended before both processes said who they are"
        workers.add(int(line))
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 10
    while any(map(_alive, workers)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(_alive, workers))
