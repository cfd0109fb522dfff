"""An Experiment on this machine: Optuna says what to try, trials are processes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from katib.command import environment_of, filled
from katib.display import Display, open_display
from katib.metrics import Tail, metrics_in
from katib.process import TrialProcess
from katib.search import Search, begin, check_directory
from katib.spec import Experiment
from katib.stopping import judged
from katib.suggest import next_values
from katib.trials import (
    FAILURES,
    Trial,
    best_of,
    goal_reached,
    has_enough,
    read_trials,
    too_many_failed,
    write_trial,
)
from pipelines.backends.lock import HomeLock
from sub_module.errors import RunError
from sub_module.files import remove, sweep

_POLL_SECONDS = 0.05
_MAX_REASON = 200


@dataclass
class _Running:
    trial: Trial
    process: TrialProcess
    tail: Tail


def run_search(search: Search) -> tuple[list[Trial], bool]:
    """Run a search, or what is left of it, showing its trials.

    Returns:
        All trials, and whether there was anything to do.

    Raises:
        RunError: The directory is another search's, another run is under way in this home, too many
            trials failed, or none reported the objective.
    """
    home = search.folder.parents[1]
    lock = HomeLock(home)
    lock.acquire(f"search {search.experiment.name}")
    try:
        check_directory(search)
        begin(search)
        for kept in (search.folder, home / "datasets"):
            sweep(kept)
        trials = read_trials(search.folder)
        if _is_done(search.experiment, trials):
            return trials, False
        display = open_display(search.experiment, Console(stderr=True))
        try:
            return LocalSearch(search.experiment, search.folder, display).run(), True
        finally:
            display.close()
    finally:
        lock.release()


def _is_done(experiment: Experiment, trials: Sequence[Trial]) -> bool:
    """Whether a search has ended well and nothing is left to try."""
    if too_many_failed(experiment, trials) or any(t.state == "running" for t in trials):
        return False
    if has_enough(experiment, trials):
        return best_of(experiment, trials) is not None
    return bool(trials) and next_values(experiment, trials) is None


class LocalSearch:
    """One search in one directory; whoever runs it holds the home's lock."""

    def __init__(self, experiment: Experiment, folder: Path, display: Display) -> None:
        """Go on with what the directory has; an experiment that `check_algorithms` passed."""
        self._experiment = experiment
        self._folder = folder
        self._display = display
        self._running: list[_Running] = []
        self._trials: dict[int, Trial] = {}

    def run(self) -> list[Trial]:
        """Run trials until the search has ended; gives all of them.

        Raises:
            RunError: Too many trials failed, or none ever reported the objective.
        """
        self._trials = {trial.number: trial for trial in self._taken_up()}
        try:
            while self._goes_on():
                self._start()
                if not self._running:
                    break
                time.sleep(_POLL_SECONDS)
                for running in list(self._running):
                    self._follow(running)
                self._show()
            for running in self._running:
                self._keep(replace(running.trial, state="killed", finished=time.time()))
        finally:
            for running in self._running:
                running.process.stop()
        self._show()
        _check_outcome(self._experiment, self.trials, self._folder)
        return self.trials

    @property
    def trials(self) -> list[Trial]:
        """All trials so far, by number."""
        return [self._trials[number] for number in sorted(self._trials)]

    def _taken_up(self) -> list[Trial]:
        """The trials of an earlier attempt; what failed in a search that failed is tried again."""
        trials = read_trials(self._folder)
        if not too_many_failed(self._experiment, trials):
            return trials
        for trial in trials:
            if trial.state in FAILURES:
                remove(self._folder / trial.name)
        return [
            Trial(trial.name, trial.number, trial.parameters) if trial.state in FAILURES else trial
            for trial in trials
        ]

    def _goes_on(self) -> bool:
        trials = self.trials
        return not (
            has_enough(self._experiment, trials) or too_many_failed(self._experiment, trials)
        )

    def _start(self) -> None:
        """Start trials until as many run as may; first those that were interrupted."""
        spec = self._experiment.spec
        while len(self._running) < spec.parallel_trial_count:
            active = {running.trial.number for running in self._running}
            cut = [t for t in self.trials if t.state == "running" and t.number not in active]
            if cut:
                trial = replace(cut[0], metrics={}, notes={}, started=time.time())
            else:
                wanted = [t for t in self.trials if t.state != "killed"]
                if spec.max_trial_count is not None and len(wanted) >= spec.max_trial_count:
                    return
                values = next_values(self._experiment, self.trials)
                if values is None:
                    return
                number = max(self._trials, default=-1) + 1
                name = f"{self._experiment.name}-{number + 1:03d}"
                trial = Trial(name, number, values, started=time.time())
            self._running.append(self._begun(trial))

    def _begun(self, trial: Trial) -> _Running:
        self._keep(trial)
        log = self._folder / trial.name / "trial.log"
        home = self._folder.parents[1]
        text = filled(self._experiment, trial.name, trial.parameters)
        environment = environment_of(self._experiment, trial.name, home)
        log.unlink(missing_ok=True)
        return _Running(trial, TrialProcess(text, environment, log), Tail(log))

    def _follow(self, running: _Running) -> None:
        """Read what the trial printed; note its end, or bring it about."""
        # In this order: what it printed last is there when it has ended.
        code = running.process.exit_code
        stop = self._read(running, to_the_end=code is not None)
        if code is None and not stop:
            return
        running.process.stop()
        self._running.remove(running)
        finished = replace(running.trial, finished=time.time())
        trial = _judged_by_its_end(self._experiment, finished, stop, code, running.tail)
        self._keep(trial)
        if trial.state != "succeeded":
            # Nobody goes on with it, and checkpoints of large models are large.
            for checkpoint in (self._folder / trial.name / "train").glob("*.pth"):
                checkpoint.unlink()

    def _read(self, running: _Running, to_the_end: bool) -> bool:
        """Take up new metrics; gives whether the trial is to be stopped early."""
        objective = self._experiment.spec.objective
        for line in running.tail.lines(to_the_end):
            for name, value in metrics_in(line, self._experiment.formats, objective.metrics):
                trial, stop = running.trial, False
                metrics = {**trial.metrics, name: [*trial.metrics.get(name, ()), value]}
                running.trial = replace(trial, metrics=metrics)
                if name == objective.objective_metric_name:
                    stop, running.trial = judged(self._experiment, self.trials, running.trial)
                self._keep(running.trial)
                if stop:
                    # What it printed since does not count: that depends on how fast this looks.
                    return True
        return False

    def _show(self) -> None:
        texts = {running.trial.name: running.tail.last_line for running in self._running}
        self._display.show(self.trials, texts)

    def _keep(self, trial: Trial) -> None:
        self._trials[trial.number] = trial
        write_trial(self._folder, trial)


def _check_outcome(experiment: Experiment, trials: Sequence[Trial], folder: Path) -> None:
    """See that a search that has ended found something.

    Raises:
        RunError: Too many trials failed, or none ever reported the objective.
    """
    failed = [trial for trial in trials if trial.state in FAILURES]
    best = best_of(experiment, trials)
    if goal_reached(experiment, trials):
        return
    if best is not None and not too_many_failed(experiment, trials):
        return
    if not failed:
        raise RunError(f"search {experiment.name}: no trial was run")
    last = max(failed, key=lambda trial: trial.finished or 0.0)
    raise RunError(
        f"search {experiment.name}: {len(failed)} of {len(trials)} trials failed; the last, "
        f"{last.name}: {last.error}; see {folder / last.name / 'trial.log'}"
    )


def _judged_by_its_end(
    experiment: Experiment, trial: Trial, stopped: bool, code: int | None, tail: Tail
) -> Trial:
    """The trial with the state that its end gives it."""
    objective = experiment.spec.objective.objective_metric_name
    if stopped:
        return replace(trial, state="early stopped")
    if code != 0:
        reason = tail.last_line[:_MAX_REASON] or "it printed nothing"
        return replace(trial, state="failed", error=f"exit code {code}: {reason}")
    if objective not in trial.metrics:
        reason = f"it never printed the metric {objective} as spec.metricsCollectorSpec reads it"
        return replace(trial, state="metrics unavailable", error=reason)
    return replace(trial, state="succeeded")
