"""The benchmark itself, made short, with real servers."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from serving.bench import autoscaling
from serving.bench.__main__ import main
from serving.bench.peers.image_reader import MODEL_VARIABLE

_PEERS = ["torchserve", "litserve", "ours"]
_FILES = {"figures.json", "report.md", "throughput.png", "at_once.png", "latency.png"}


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a short benchmark wrote its files."""
    folder = tmp_path_factory.mktemp("bench")
    only = [argument for name in _PEERS for argument in ("--only", name)]
    assert main(["--quick", "--out", str(folder), *only]) == 0
    return folder


@pytest.fixture(scope="module")
def figures(out: Path) -> dict[str, Any]:
    return dict(json.loads((out / "figures.json").read_bytes()))


def test_everything_is_written(out: Path) -> None:
    assert {file.name for file in out.iterdir()} == _FILES
    text = (out / "report.md").read_text()
    assert all(title in text for title in ("| LitServe |", "| TorchServe |", "| ours |"))
    assert "nan" not in text


@pytest.mark.parametrize("name", _PEERS)
def test_every_server_answers_every_load_and_reads_as_the_bare_loop(
    figures: dict[str, Any], name: str
) -> None:
    [server] = [server for server in figures["servers"] if server["name"] == name]
    repeated = [
        server[kind] for kind in ("serial", "concurrent", "random", "saturated", "half_load")
    ]
    assert [len(loads) for loads in repeated] == [2] * 5
    loads = [load for loads in repeated for load in loads]
    assert all(load["requests"] > 0 for load in loads)
    assert [load["lost"] for load in loads] == [0] * len(loads)
    assert [load["otherwise"] for load in loads] == [0] * len(loads)
    assert all(load["server_cpu_ms"] > 1 for load in server["saturated"])
    assert 0 < server["start_seconds"] < 60
    assert 20 < server["megabytes"] < 5000


def test_the_bare_loop_is_measured_in_every_shape(figures: dict[str, Any]) -> None:
    engines = {tuple(server["engine"]) for server in figures["servers"]}
    assert {tuple(floor["engine"]) for floor in figures["floors"]} == engines
    for floor in figures["floors"]:
        assert "1 x 1" in floor["per_second"]
        assert all(len(rates) == 2 for rates in floor["per_second"].values())


def test_no_process_is_left(out: Path) -> None:
    left = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            # What every process of a peer inherits, TorchServe's Java too.
            if MODEL_VARIABLE in process.environ():
                left.append(process.cmdline())
    assert left == []


def test_the_simulation_takes_what_was_measured(out: Path, tmp_path: Path) -> None:
    short = ["--set", "autoscaling.scenarios.bursts_for_a_minute.for_seconds=1"]
    arguments = ["--figures", str(out / "figures.json"), "--out", str(tmp_path), *short]
    assert autoscaling.main(arguments) == 0
    assert {file.name for file in tmp_path.iterdir()} == {"autoscaling.md", "autoscaling.png"}
    assert "| one burst | queue |" in (tmp_path / "autoscaling.md").read_text()


def test_memory_is_followed_over_many_requests(tmp_path: Path) -> None:
    arguments = ["--quick", "--soak", "--only", "fastapi_async", "--out", str(tmp_path)]
    assert main(arguments) == 0
    memory = json.loads((tmp_path / "soak.json").read_bytes())
    assert memory["requests"][0] == 0
    assert memory["requests"][-1] >= 60
    assert (memory["lost"], memory["otherwise"]) == (0, 0)
    assert min(memory["megabytes"]) > 20
    assert "0 lost" in (tmp_path / "soak.md").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--only", "nothing"], "--only nothing: there are fastapi_sync, "),
        (["--set", "calls=0"], "calls: Input should be greater than or equal to 1, got 0"),
        (["--serve-set", "workers=0"], "workers: Input should be"),
        (["--model", "no/such/model", "--only", "ours"], "no/such/model"),
    ],
)
def test_a_mistake_is_one_line(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--quick", "--out", str(tmp_path), *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1


def test_a_simulation_without_figures_says_what_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert autoscaling.main(["--figures", str(tmp_path / "none.json")]) == 2
    assert "`make bench-serving` measures first" in capsys.readouterr().err
