"""Folders that one operation works in; those of killed processes are found and swept."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from dataset_tools.versions.objects import Cache
from sub_module.errors import DataError

_PREFIX = "work-"
_LOCK = "lock"


class Workshop:
    """Where the operations of one home work: a folder each, and the cache that they share.

    A folder's lock is held for as long as its process lives, so one whose lock is free has been
    left by a killed process.
    """

    def __init__(self, root: Path) -> None:
        """The workshop in `root`, which is made when it is first used."""
        self.cache = Cache(root / "cache")
        self._root = root

    @contextmanager
    def folder(self) -> Iterator[Path]:
        """A folder with nothing but its lock, gone afterwards."""
        with self._doors():
            self._sweep()
            folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=self._root))
            lock = FileLock(folder / _LOCK)
            lock.acquire()
        is_done = False
        try:
            yield folder
            is_done = True
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            lock.release()
            if not is_done:
                # A transfer that failed may have left parts of files.
                with self._doors():
                    self._sweep(also_cache=True)

    @contextmanager
    def alone(self) -> Iterator[Path]:
        """An empty folder, gone afterwards; nobody else works here meanwhile, who comes waits.

        Raises:
            DataError: Somebody is at work now.
        """
        with self._doors():
            if self._sweep(also_cache=True):
                raise DataError(
                    f"{self._root}: another command is adding or pulling a data set; "
                    "wait until it is done"
                )
            with tempfile.TemporaryDirectory(prefix=_PREFIX, dir=self._root) as folder:
                yield Path(folder)

    @contextmanager
    def publishing(self) -> Iterator[None]:
        """One operation of this home publishes at a time; the others wait."""
        with FileLock(self._root / "publish.lock"):
            yield

    @contextmanager
    def _doors(self) -> Iterator[None]:
        """Nobody begins to work, and nobody sweeps."""
        self._root.mkdir(parents=True, exist_ok=True)
        with FileLock(self._root / "doors.lock"):
            yield

    def _sweep(self, also_cache: bool = False) -> int:
        """Remove what killed processes left; gives how many operations are under way."""
        num_alive = 0
        for folder in self._root.glob(f"{_PREFIX}*/"):
            try:
                with FileLock(folder / _LOCK, blocking=False):
                    shutil.rmtree(folder, ignore_errors=True)
                    also_cache = True
            except Timeout:
                num_alive += 1
        if also_cache and not num_alive:
            self.cache.sweep()
        return num_alive
