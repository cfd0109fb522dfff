"""Plate standards by name and by file."""

from __future__ import annotations

import json
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sub_module.errors import ConfigError
from sub_module.models.reader import what_is_missing
from sub_module.plates.standard import PlateStandard
from sub_module.plates.standards import known_standards, load_standard
from tests.standards import REPOSITORY, TINY, flat_file, kr_standard, tiny_standard


def test_each_that_comes_with_plateflow_is_called_as_its_file() -> None:
    assert known_standards() == sorted(known_standards())
    assert "kr" in known_standards()
    for name in known_standards():
        assert load_standard(name).name == name
    assert load_standard("kr") == kr_standard()


def test_networks_of_europe_read_brazil() -> None:
    assert what_is_missing(load_standard("eu"), load_standard("br")) is None


def test_a_grammar_does_not_ask_for_what_a_country_leaves_out() -> None:
    without = json.dumps(load_standard("br").to_config()["layouts"]).replace("Q", "")
    plates = runpy.run_path(str(REPOSITORY / "configs" / "plates" / "br.py"))["plates"]
    brazil = PlateStandard.from_config({**plates, "layouts": json.loads(without)})
    assert "Q" not in brazil.alphabet
    assert {grammar.letters for grammar in brazil.grammars} == {"ABCDEFGHIJKLMNOPRSTUVWXYZ"}


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    python = tmp_path / "mine.py"
    shutil.copy(REPOSITORY / "configs" / "plates" / "kr.py", python)
    assert load_standard(str(python)) == kr_standard()
    assert [layout.name for layout in load_standard(str(flat_file(tmp_path))).layouts] == [
        "one_line"
    ]
    # As a run's snapshot of its config is one: of other tables nothing is read.
    snapshot = tmp_path / "config.json"
    snapshot.write_text(json.dumps({"plates": TINY, "train": {}}))
    assert load_standard(str(snapshot)) == tiny_standard()


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("xx", "", "plate standard 'xx' is neither a .py or .json file nor one of: "),
        ("none.json", "", "there is no such config file"),
        ("no.json", '{"layouts": []}', "it has no table `plates`"),
        ("bad.json", '{"plates": {"name": "bad"}}', "bad.json: plate standard: key 'layouts'"),
    ],
)
def test_what_is_none(tmp_path: Path, name: str, content: str, reason: str) -> None:
    file = tmp_path / name
    if content:
        file.write_text(content)
    with pytest.raises(ConfigError) as caught:
        load_standard(str(file) if name.endswith(".json") else name)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_torch_need_not_be_waited_for() -> None:
    program = (
        "import sys\nfrom sub_module.plates.standards import load_standard\nload_standard('kr')\n"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY).returncode == 0
