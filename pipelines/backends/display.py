"""How far a run is, on a terminal as a live table, elsewhere as plain lines."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from components.records import read_steps
from sub_module.files import read_json

_POLL_SECONDS = 0.25
_PLAIN_SECONDS = 10.0
# Shown first; other figures only where none of these exists.
_HEADLINES = ("EIR", "mAP", "dv_mAP")
_MARKS = {"waiting": " ", "running": "▸", "done": "✓", "failed": "✗"}


@dataclass(frozen=True)
class StepState:
    """What there is to show of one step."""

    name: str
    status: Literal["waiting", "running", "done", "failed"] = "waiting"
    done: int = 0
    total: int = 0
    text: str = ""
    seconds: float = 0.0


class Display(Protocol):
    """Shows states as they come."""

    def show(self, states: Sequence[StepState]) -> None:
        """Show the states of all steps."""

    def close(self) -> None:
        """End the display; what it showed stays."""


def follow(
    run_dir: Path, components: Sequence[str], alive: Callable[[], bool], console: Console
) -> None:
    """Show the run until `alive` says no."""
    display = open_display(console)
    try:
        while alive():
            display.show(states_of(run_dir, components))
            time.sleep(_POLL_SECONDS)
        display.show(states_of(run_dir, components))
    finally:
        display.close()


def open_display(console: Console, plain_seconds: float = _PLAIN_SECONDS) -> Display:
    """What fits the console: a live table on a terminal, lines elsewhere.

    Args:
        console: Where to show states.
        plain_seconds: Between two lines about the same step.
    """
    return _Live(console) if console.is_terminal else _Lines(console, plain_seconds)


def states_of(run_dir: Path, components: Sequence[str]) -> list[StepState]:
    """The state of every step, from the run's `steps/` and `progress/` files."""
    steps = read_steps(run_dir)
    states = []
    for name in components:
        step = steps.get(name)
        if step is None:
            states.append(StepState(name))
        elif step.finished is not None:
            status: Literal["done", "failed"] = "failed" if step.error else "done"
            text = step.error or _headline(step.metrics)
            states.append(StepState(name, status, text=text, seconds=step.seconds))
        else:
            progress = read_json(run_dir / "progress" / f"{name}.json") or {}
            done, total = progress.get("done", 0), progress.get("total", 0)
            states.append(StepState(name, "running", done, total, progress.get("text", "")))
    return states


def _headline(metrics: dict[str, float]) -> str:
    names = [name for name in _HEADLINES if name in metrics] or list(metrics)[:3]
    if metrics.get("num_rejected") and "num_rejected" not in names:
        names.append("num_rejected")
    return "  ".join(f"{name} {_figure(metrics[name])}" for name in names)


def _figure(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.3f}"


def _far(state: StepState) -> str:
    if state.total:
        return f"{state.done}/{state.total} {state.text}"
    return f"under way for {_clock(state.seconds)}" if state.seconds else "under way"


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


class _Lines:
    """A line when a step begins and ends, and every few seconds between."""

    def __init__(self, console: Console, seconds: float) -> None:
        self._console, self._seconds = console, seconds
        self._status: dict[str, str] = {}
        self._next_line = 0.0

    def show(self, states: Sequence[StepState]) -> None:
        for state in states:
            changed = self._status.get(state.name, "waiting") != state.status
            due = state.status == "running" and time.monotonic() >= self._next_line
            if changed or due:
                self._print(state, changed)
            self._status[state.name] = state.status

    def close(self) -> None:
        """Nothing is left to do."""

    def _print(self, state: StepState, changed: bool) -> None:
        line = f"[{state.name}]"
        if state.status == "running":
            self._next_line = time.monotonic() + self._seconds
            line += " started" if changed else f" {_far(state)}"
        elif state.status == "done":
            line += f" done in {state.seconds:.1f} s  {state.text}"
        else:
            line += f" failed after {state.seconds:.1f} s"
        self._console.print(line.rstrip(), markup=False, highlight=False, soft_wrap=True)


class _Live:
    """A table with a bar a step."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("{task.fields[mark]} {task.description:<10}"),
            BarColumn(bar_width=28),
            TextColumn("{task.fields[clock]:>5}", style="progress.elapsed"),
            TextColumn("{task.fields[text]}", markup=False),
            console=console,
        )
        self._tasks: dict[str, TaskID] = {}
        self._began: dict[str, float] = {}
        self._progress.start()

    def show(self, states: Sequence[StepState]) -> None:
        for state in states:
            if state.name not in self._tasks:
                self._tasks[state.name] = self._progress.add_task(
                    state.name, total=1, mark="", clock="", text=""
                )
            self._update(self._tasks[state.name], state)

    def close(self) -> None:
        self._progress.stop()

    def _update(self, task: TaskID, state: StepState) -> None:
        total: float | None = 1
        completed, seconds, text = 0, state.seconds, state.text
        if state.status == "running":
            began = self._began.setdefault(state.name, time.monotonic() - state.seconds)
            seconds = time.monotonic() - began
            # No total: the bar moves to and fro. A step goes on after its last item, so its bar
            # fills only when it has ended.
            total = state.total or None
            completed = min(state.done, max(state.total - 1, 0))
            text = f"{state.done}/{state.total} {text}" if state.total else text
        elif state.status == "done":
            completed = 1
        elif state.status == "failed":
            text = "failed"
        clock = "" if state.status == "waiting" else _clock(seconds)
        self._progress.update(
            task,
            total=total,
            completed=completed,
            mark=_MARKS[state.status],
            clock=clock,
            text=text,
        )
