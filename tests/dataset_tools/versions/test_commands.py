"""`dataset add`, `pull`, `list`, `diff` and `gc`."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from commands.versions import register
from sub_module.errors import DataError
from sub_module.settings import Settings
from tests.dataset_tools.versions.sets import STANDARD, files, small_set, tags


@pytest.fixture
def config(tmp_path: Path) -> str:
    """A pipeline config with the standard of the small sets."""
    path = tmp_path / "config.json"
    settings = {"plates": STANDARD.to_config(), "dataset": {"category": "board"}}
    path.write_text(json.dumps(settings))
    return str(path)


@pytest.fixture(autouse=True)
def _home(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLATEFLOW_HOME", str(settings.home))
    monkeypatch.chdir(tmp_path)


def _run(*arguments: str, given: str | None = None) -> Result:
    app = typer.Typer()
    register(app)
    return CliRunner().invoke(app, list(arguments), input=given)


def test_add_says_which_version_it_is(config: str) -> None:
    done = _run("add", "set1", "--version", "v1", "--config", config)
    assert done.exit_code == 0, done.exception
    assert done.stdout == "ann-v1\n"
    assert "ann-v1 is there already, with the same files" in done.stderr
    assert _run("add", "set2", "--config", config).stdout == "ann-v2\n"


def test_pull_makes_a_directory_of_the_tags_name(tmp_path: Path) -> None:
    assert _run("pull", "v2").stdout == "ann-v2\n"
    assert files(tmp_path / "ann-v2") == files(tmp_path / "set2")
    assert isinstance(_run("pull", "v2").exception, DataError)
    assert _run("pull", "v1", "out", "--read-only").stdout == "out\n"
    assert files(tmp_path / "out") == files(tmp_path / "set1")


def test_list_shows_every_version() -> None:
    lines = _run("list").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["version", "ann-v1", "ann-v2"]
    assert lines[0].endswith("in the catalog")
    assert all(line.endswith("yes") for line in lines[1:])
    rows = json.loads(_run("list", "--json").stdout)
    assert [row["tag"] for row in rows] == ["ann-v1", "ann-v2"]
    assert {row["catalog"] for row in rows} == {"yes"}


def test_list_shows_times_in_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    created = json.loads(_run("list", "--json").stdout)[0]["created"]
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("TZ", "XYZ-9:30")
        time.tzset()
        lines = _run("list").stdout.splitlines()
    time.tzset()
    assert "created (UTC)" in lines[0]
    assert created[:16].replace("T", " ") in lines[1]


def test_add_says_what_it_leaves_out(config: str, settings: Settings, tmp_path: Path) -> None:
    directory = small_set(tmp_path / "set3", 8, seed=3)
    for number in range(6):
        (directory / f"{number:06d}.json").write_text("{")
    label_file = directory / "000006.json"
    text = json.loads(label_file.read_text())
    label_file.write_text(json.dumps({**text, "flags": {"reviewed": False}}))
    done = _run("add", "set3", "--skip-rejected", "--config", config)
    assert done.stdout == "ann-v3\n", done.exception
    assert "left out: 6 files that cannot be used, 1 that no person has reviewed" in done.stderr
    shown = [line for line in done.stderr.splitlines() if line.startswith("- ")]
    assert len(shown) == 5
    assert shown[0].startswith("- 000000.json: ")
    assert "2 more" in done.stderr
    git = ["git", "-C", str(settings.home / "datasets.git"), "tag", "-n99", "-l", "ann-v3"]
    message = subprocess.check_output(git, text=True).split("\n")
    assert [line.strip() for line in message if "left out" in line] == [
        "left out as unusable: 6",
        "left out as not reviewed: 1",
    ]
    # It says so too when the version is there.
    assert "left out: 6 files" in _run("add", "set3", "--skip-rejected", "--config", config).stderr
    assert "left out" not in _run("add", "set1", "--config", config).stderr


def test_list_of_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLATEFLOW_HOME", str(tmp_path / "new"))
    done = _run("list")
    assert done.stdout == ""
    assert "no versions yet" in done.stderr


def test_diff_shows_files_and_classes() -> None:
    shown = _run("diff", "v1", "v2").stdout
    lines = [line.split() for line in shown.splitlines()]
    assert ["images", "1", "0", "1"] in lines
    assert ["labels", "1", "1", "1"] in lines
    for marked in ("+ new.jpg", "- 000002.jpg", "+ new.json", "~ 000000.json", "- 000002.json"):
        assert marked in shown.splitlines()
    assert ["class", "ann-v1", "ann-v2", "change"] in lines
    found = json.loads(_run("diff", "v1", "v2", "--json").stdout)
    assert found["images"] == {"added": ["new.jpg"], "changed": [], "removed": ["000002.jpg"]}
    assert found["class_counts"].keys() == set(STANDARD.classes)


def test_gc_asks(settings: Settings) -> None:
    cached = settings.home / "versions" / "cache" / "files" / "md5" / "00" / "11"
    cached.parent.mkdir(exist_ok=True)
    cached.write_bytes(b"unneeded")
    assert _run("gc", given="n\n").exit_code == 1
    assert cached.exists()
    refused = _run("gc", "--store", given="n\n")
    assert refused.exit_code == 1
    assert "What somebody adds meanwhile on another machine would be lost." in refused.stderr
    assert "from the cache and the store?" in refused.stderr
    done = _run("gc", "--yes")
    assert done.stdout.splitlines()[-1].split() == ["cache", "1", "0.0"]
    assert not cached.exists()
    assert tags(settings) == ["ann-v1", "ann-v2"]
