"""How runs go on: as a script says, a move each time that somebody looks, or for real."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from tests.servers.kfp.run import Run
from tests.servers.kfp.spec import mount_paths
from tests.standards import REPOSITORY

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_BEGUN = re.compile(r"Executing task '([^']+)'")
_ENDED = re.compile(r"Task '([^']+)' finished with status (\w+)")


class Progress(Protocol):
    """What moves a run."""

    def look(self, run: Run, now: int) -> None:
        """Bring a run that is not over to where it is now, or make its next moves."""

    def stop(self) -> None:
        """End what is under way."""


@dataclass
class Play:
    """A script: each look at a run makes its next move.

    Attributes:
        fails: Tasks that fail -> what their log says.
        hangs: Tasks that run until the run is terminated.
        logs: Tasks -> what the log of one that does not fail says.
        moves: How many a look makes. A run of n tasks has 2n + 2.
    """

    fails: dict[str, str] = field(default_factory=dict)
    hangs: set[str] = field(default_factory=set)
    logs: dict[str, str] = field(default_factory=dict)
    moves: int = 1

    def look(self, run: Run, now: int) -> None:
        """See `Progress`."""
        for _ in range(self.moves):
            if not run.is_over:
                self._move(run, now)

    def stop(self) -> None:
        """See `Progress`."""

    def _move(self, run: Run, now: int) -> None:
        if run.state == "CANCELING":
            _cancel(run, now)
            return
        if run.state == "PENDING":
            run.begin(now)
            return
        failed = {task for task in run.order if run.task(task).state == "FAILED"}
        for task in run.order:
            state = run.task(task).state
            if state in {"SUCCEEDED", "FAILED"}:
                continue
            if failed and run.hooked.get(task) not in failed:
                continue
            if not state:
                run.logs[task] = self.logs.get(task, "")
                run.begin_task(task, now)
            elif task in self.fails:
                run.logs[task] = self.fails[task]
                run.end_task(task, "FAILED", now)
            elif task not in self.hangs:
                run.end_task(task, "SUCCEEDED", now)
            return
        run.finish("FAILED" if failed else "SUCCEEDED", now)


class Executed:
    """The run's own YAML by kfp.local, in a process that knows of the volume and nothing else."""

    def __init__(self, run: Run, volume: Path, secret: Mapping[str, str], folder: Path) -> None:
        """Start.

        Args:
            run: Its YAML and its parameters are used.
            volume: Stands for what the tasks' claims mount.
            secret: More environment, as a secret gives it to the tasks.
            folder: The YAML and the log go there.
        """
        self._temporary = tempfile.TemporaryDirectory(prefix="kfp-")
        self._log = folder / f"{run.id}.log"
        content = run.yaml.decode()
        arguments = json.dumps(run.arguments)
        for path in set(mount_paths(run.spec)):
            content = content.replace(path, str(volume))
            arguments = arguments.replace(path, str(volume))
        file = folder / f"{run.id}.yaml"
        file.write_text(content, encoding="utf-8")
        environment = {k: v for k, v in os.environ.items() if not k.startswith("PLATEFLOW_")}
        environment |= {
            "PYTHONPATH": str(REPOSITORY),
            "PYTHONUNBUFFERED": "1",
            "TMPDIR": self._temporary.name,
            **secret,
        }
        command = [sys.executable, "-m", "pipelines.backends.worker"]
        with self._log.open("wb") as output:
            self._process = subprocess.Popen(
                [*command, str(file), arguments, self._temporary.name],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                cwd=REPOSITORY,
                start_new_session=True,
            )

    def look(self, run: Run, now: int) -> None:
        """See `Progress`."""
        # Asked first: what is in the log then is all of it.
        code = self._process.poll()
        if run.state == "CANCELING":
            self.stop()
            _cancel(run, now)
            return
        if run.state == "PENDING":
            run.begin(now)
        text = _COLOUR.sub("", self._log.read_text(encoding="utf-8", errors="replace"))
        for line in text.splitlines():
            begun, ended = _BEGUN.search(line), _ENDED.search(line)
            if begun and not run.task(begun[1]).state:
                run.begin_task(begun[1], now)
            if ended and run.task(ended[1]).state == "RUNNING":
                state = "SUCCEEDED" if ended[2] == "SUCCESS" else "FAILED"
                run.end_task(ended[1], state, now)
        for task in run.order:
            run.logs[task] = _part(text, task)
        if code is not None:
            self.stop()
            run.finish("FAILED" if code else "SUCCEEDED", now)

    def stop(self) -> None:
        """See `Progress`; the worker ends with its standard input, and all that it started."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait()
        self._temporary.cleanup()


def _cancel(run: Run, now: int) -> None:
    """Two moves: the cancelling is seen, and the end, for which Argo knows no word but failed."""
    if run.history[-1][1] == "CANCELING":
        run.finish("FAILED", now)
    else:
        run.history.append((now, "CANCELING"))


def _part(log: str, task: str) -> str:
    """What a task has written, which stands between its beginning and its end."""
    _, found, rest = log.partition(f"Executing task '{task}'")
    return rest.partition(f"Task '{task}' finished")[0] if found else ""
