"""The contact sheet of a config's drawing steps: which there are, and that each shows."""

from __future__ import annotations

import errno
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from commands import dataset
from dataset_tools.show_effects import show_effects, steps_of
from sub_module.errors import ConfigError, DataError
from sub_module.plates import PlateStandard
from tests.standards import tiny_standard
from tests.sub_module.small import DATASET

OFF = dict.fromkeys(("shadow", "blur", "noise", "max_patches", "max_distractors"), 0)
SETTINGS: dict[str, Any] = {**DATASET["draw"], **OFF, "image_sizes": [[320, 240]]}


def furnished() -> PlateStandard:
    standard = tiny_standard()
    first, second = standard.layouts
    first = replace(first, furniture=(("bolts", 0.25), ("border", 0.0)))
    return replace(standard, layouts=(first, second))


def test_steps_of_a_config() -> None:
    settings = {**SETTINGS, "cars": 0.4, "shadow": 0.125, "hard_negatives": 3}
    settings["effects"] = {"haze": 0.08, "rain": 0.0}
    steps = steps_of(settings, furnished())
    assert [(step.name, step.of, step.often) for step in steps] == [
        ("bolts", "furniture of stacked", "25 %"),
        ("cars", "scene", "40 %"),
        ("hard_negatives", "scene", "up to 3 an image"),
        ("shadow", "camera", "12.5 %"),
        ("haze", "camera", "8 %"),
    ]
    # Each is drawn with that step and no other.
    for step in steps[1:]:
        off, on = ({**drawn, **drawn["effects"]} for drawn in (step.without, step.settings))
        assert {key for key in off if off[key] != on[key]} - {"effects"} == {step.name}
        assert not any(off[key] for key in (*OFF, "cars", "hard_negatives", "haze", "rain"))
        assert not any(share for one in step.standard.layouts for _, share in one.furniture)
    (layout,) = steps[0].standard.layouts
    assert layout.furniture == (("bolts", 1.0), ("border", 0.0))


def test_what_most_plates_have_the_other_steps_are_shown_with() -> None:
    settings = {**SETTINGS, "cars": 0.75, "strokes": 0.2, "effects": {"haze": 0.1}}
    steps = {step.name: step for step in steps_of(settings, tiny_standard())}
    assert list(steps) == ["strokes", "cars", "haze"]
    assert [steps[name].without["cars"] for name in steps] == [1, 0, 1]
    assert [steps[name].without["strokes"] for name in steps] == [0, 0, 0]


def test_sheet_shows_each_step_without_and_with_it(tmp_path: Path) -> None:
    settings = {**SETTINGS, "effects": {"haze": 0.08, "low_light": 0.1}}
    done = []
    steps = show_effects(
        tmp_path / "sheet.png",
        settings,
        tiny_standard(),
        num_scenes=1,
        progress=lambda number, total, name: done.append((number, total, name)),
    )
    assert [step.name for step in steps] == ["haze", "low_light"]
    assert done == [(1, 2, "haze"), (2, 2, "low_light")]
    sheet = np.array(Image.open(tmp_path / "sheet.png")).astype(int)
    tiles = [sheet[64:225, x : x + 214] for x in (6, 226, 452, 672)]
    # One scene without any step; with haze it has less contrast, in low light it is darker.
    assert np.abs(tiles[0] - tiles[2]).mean() < 1
    assert tiles[1].std() < 0.97 * tiles[0].std()
    assert tiles[3].mean() < 0.9 * tiles[2].mean()


def test_what_cannot_be_shown(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"x\.html: it must end in \.png"):
        show_effects(tmp_path / "x.html", SETTINGS, tiny_standard())
    with pytest.raises(DataError, match="config draws with no step"):
        show_effects(tmp_path / "x.png", SETTINGS, tiny_standard())
    with pytest.raises(ConfigError, match=r"dataset\.draw\.effects: no effect 'fog'"):
        show_effects(tmp_path / "x.png", {**SETTINGS, "effects": {"fog": 1.0}}, tiny_standard())
    assert list(tmp_path.iterdir()) == []


def test_a_sheet_that_cannot_be_written_whole_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sheet.png").write_text("old")

    def full(*paths: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("sub_module.files.os.replace", full)
    settings = {**SETTINGS, "effects": {"haze": 0.1}}
    with pytest.raises(DataError, match=r"sheet\.png: cannot be written: No space left"):
        show_effects(tmp_path / "sheet.png", settings, tiny_standard(), num_scenes=1)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


def test_the_command_lists_the_steps_of_a_config(tmp_path: Path) -> None:
    config, sheet = tmp_path / "config.json", tmp_path / "sheets" / "sheet.png"
    draw = {**SETTINGS, "effects": {"haze": 0.08}}
    parts = {"plates": furnished().to_config(), "dataset": {**DATASET, "draw": draw}}
    config.write_text(json.dumps(parts))
    arguments = ["show", "--effects", str(config), "--out", str(sheet)]
    result = CliRunner().invoke(dataset.app, arguments)
    assert result.exit_code == 0, result.exception
    header, *rows = result.stdout.splitlines()
    assert header.split("  ")[0] == "step"
    assert [row.split() for row in rows] == [
        ["bolts", "furniture", "of", "stacked", "25", "%"],
        ["haze", "camera", "8", "%"],
    ]
    assert result.stderr.endswith(f"contact sheet: {sheet}\n")
    assert Image.open(sheet).format == "PNG"


@pytest.mark.parametrize("arguments", [[], ["set", "--effects", "plate_training"]])
def test_a_set_or_a_config(arguments: list[str]) -> None:
    result = CliRunner().invoke(dataset.app, ["show", *arguments])
    assert isinstance(result.exception, ConfigError)
    assert "name an annotation set, or a config with --effects CONFIG" in str(result.exception)
