"""Work on many items side by side: results come in order, and never pile up."""

from __future__ import annotations

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import islice
from multiprocessing import get_context, parent_process
from typing import TypeVar

import cv2

from sub_module.errors import DataError

Item = TypeVar("Item")
Result = TypeVar("Result")

# Handing over items one by one would cost as much as the work on some.
_ITEMS_A_TASK = 16
# Tasks that are begun or done before the first of them is asked for, for each worker.
_TASKS_AHEAD = 3
# Processes need half a second to start, and then do twice as much as threads, which wait for
# each other's turn at the interpreter.
MIN_ITEMS_FOR_PROCESSES = 1000


def in_order(
    work: Callable[[Item], Result], items: Sequence[Item], num_workers: int
) -> Iterator[Result]:
    """The result for each item, in order; only a few are ready before they are asked for.

    Few items are worked on by threads, many by processes, which end with this one.

    Args:
        work: What is done with an item; it and its results must be fit for pickling.
        items: Anything that is fit for pickling.
        num_workers: As many at once.

    Raises:
        DataError: A process was killed, or could not start.
    """
    starts = iter(range(0, len(items), _ITEMS_A_TASK))
    with _workers(num_workers, len(items)) as pool:

        def begin(start: int) -> Future[list[Result]]:
            return pool.submit(_all, work, items[start : start + _ITEMS_A_TASK])

        begun = deque(map(begin, islice(starts, _TASKS_AHEAD * num_workers)))
        while begun:
            results = begun.popleft().result()
            begun.extend(map(begin, islice(starts, 1)))
            yield from results


@contextmanager
def _workers(num_workers: int, num_items: int) -> Iterator[Executor]:
    """Workers that drop what is left to do when the caller gives up."""
    pool: Executor
    if num_workers == 1 or num_items < MIN_ITEMS_FOR_PROCESSES:
        pool = ThreadPoolExecutor(num_workers)
    else:
        pool = ProcessPoolExecutor(
            num_workers, mp_context=get_context("spawn"), initializer=_begin_process
        )
    try:
        yield pool
    except BrokenProcessPool as error:
        raise DataError("a process that reads the data set was killed, or cannot start") from error
    finally:
        pool.shutdown(cancel_futures=True)


def _begin_process() -> None:
    cv2.setNumThreads(1)
    # Ctrl-C reaches all processes of a terminal; the parent decides what comes of it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A killed parent cannot say goodbye: without this, its processes would wait for ever."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _all(work: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    return list(map(work, items))
