"""Sets of traps: kinds in equal shares, what may be read on them, and what counts as false."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from commands import dataset
from dataset_tools.draw.scenes import boards, distractors, screens
from dataset_tools.draw.traps import signs
from dataset_tools.draw.traps.signs import burn_timestamp, draw_screen, draw_sign
from dataset_tools.draw.traps.trap_set import KINDS, Trap, draw_traps, false_readings, load_traps
from sub_module.errors import ConfigError, DataError
from tests.dataset_tools.drawn import digests
from tests.standards import TINY, tiny_standard
from tests.sub_module.small import DATASET

SMALL: dict[str, Any] = dict(DATASET["draw"], image_sizes=[[320, 240]])


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two images of each kind."""
    out = tmp_path_factory.mktemp("traps") / "set"
    draw(out)
    return out


def draw(out: Path, num_images: int = 2 * len(KINDS), seed: int = 3) -> list[Trap]:
    return draw_traps(out, num_images, seed, tiny_standard(), SMALL)


def test_set_of_traps(drawn: Path) -> None:
    traps = load_traps(drawn)
    assert Counter(trap.kind for trap in traps) == dict.fromkeys(KINDS, 2)
    names = {path.name for path in drawn.iterdir()}
    assert names == {"traps.json", *(trap.file for trap in traps)}
    assert len(set(digests(drawn).values())) == len(names)
    for trap in traps:
        assert trap.file.startswith(f"{trap.kind}_")
        image = cv2.imread(str(drawn / trap.file))
        assert image.shape[0] >= 240
        assert image.std() > 3
        # What may be read is what the standard's slots hold.
        assert all(set(text) <= set("WXYZ0123") for text in trap.texts)
    by_kind = {kind: [t.texts for t in traps if t.kind == kind] for kind in KINDS}
    assert all(len(texts) == 1 for texts in by_kind["small"])
    assert all(5 <= len(texts) <= 10 for texts in by_kind["ten_plates"])
    assert not any(
        texts for kind in set(KINDS) - {"small", "ten_plates"} for texts in by_kind[kind]
    )


def test_signs_do_not_say_what_training_draws() -> None:
    texts = (*boards._HEADLINES, *screens._BUTTONS, *screens._KEYS, *distractors._WORDS)
    tried = {*signs._SHOPS, *signs._WORDS, *signs._BUTTONS, *signs._KEYS}
    assert not {text.upper() for text in texts} & {text.upper() for text in tried}


def test_same_seed_gives_the_same_bytes(drawn: Path, tmp_path: Path) -> None:
    """A shorter set is the beginning of a longer one."""
    short = draw(tmp_path / "short", len(KINDS))
    assert load_traps(tmp_path / "short") == short == load_traps(drawn)[: len(KINDS)]
    images = {trap.file for trap in short}
    again, whole = digests(tmp_path / "short"), digests(drawn)
    assert all(again[name] == whole[name] for name in images)
    draw(tmp_path / "other", 2, seed=4)
    assert digests(tmp_path / "other")["background_0000.jpg"] != whole["background_0000.jpg"]


@pytest.mark.parametrize(
    ("true", "read", "false"),
    [
        ((), [], []),
        ((), ["AB123"], ["AB123"]),
        (("AB123",), ["AB123"], []),
        (("AB123",), [], []),
        (("AB123",), ["AB12"], ["AB12"]),
        # One plate is read once.
        (("AB123",), ["AB123", "AB123"], ["AB123"]),
        (("AB123", "CD456"), ["CD456", "X", "AB123", "X"], ["X", "X"]),
        (("AO120",), ["A01O0", "A012O"], ["A01O0"]),
    ],
)
def test_only_right_readings_are_excused(
    true: tuple[str, ...], read: list[str], false: list[str]
) -> None:
    assert false_readings(Trap("a.jpg", "small", true), read) == false


def test_what_cannot_be_drawn_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"--num: 0 is below 1"):
        draw(tmp_path / "set", 0)
    with pytest.raises(ConfigError, match=r"--seed: -1 is below 0"):
        draw(tmp_path / "set", seed=-1)
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "mine.txt").write_text("mine")
    with pytest.raises(DataError, match="taken: exists and is not empty"):
        draw(tmp_path / "taken")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


@pytest.mark.parametrize("content", [None, "{", "[1]", json.dumps([{"file": "a.jpg"}])])
def test_what_is_no_set_of_traps(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "traps.json").write_text(content)
    with pytest.raises(DataError, match=r"traps\.json: (No such file|no list of traps)"):
        load_traps(tmp_path)


def test_signs_and_screens_have_text_all_over() -> None:
    """Each differs from the last, and has ink and ground."""
    rng = np.random.default_rng(0)
    photo = rng.integers(0, 256, (96, 128, 3), dtype=np.uint8)
    for picture in [draw_sign(rng) for _ in range(12)] + [draw_screen(photo, rng)]:
        grey = picture.mean(axis=2)
        assert grey.max() - grey.min() > 60
    blank = np.full((480, 640, 3), 128, np.uint8)
    burn_timestamp(blank, rng)
    # It keeps to one corner.
    assert 0.001 < (blank != 128).any(axis=2).mean() < 0.15


def test_commands_draw_traps_and_count_false_readings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = {"plates": TINY, "dataset": {**DATASET, "draw": SMALL}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    out, number = str(tmp_path / "set"), len(KINDS)
    settings = ["--config", str(tmp_path / "config.json"), "--num", str(number), "--seed", "3"]
    drawn = CliRunner().invoke(dataset.app, ["draw-traps", out, *settings])
    assert drawn.exit_code == 0
    assert "cut: 1\n" in drawn.output
    true = {trap.kind: trap.texts for trap in load_traps(tmp_path / "set")}

    class Reads:
        """Reads on every image what stands on the small plate."""

        def predict(self, images: list[Any]) -> list[list[Any]]:
            return [[SimpleNamespace(text=true["small"][0])] for _ in images]

    monkeypatch.setattr("sub_module.engine.shipped.open_detector", lambda *_: Reads())
    tried = CliRunner().invoke(dataset.app, ["try-traps", out, "--json"])
    found = json.loads(tried.stdout)
    assert list(found) == [*KINDS, "all"]
    right = sum(true["small"][0] in texts for texts in true.values())
    assert found["small"] == {"images": 1, "with_false_readings": 0, "false_readings": 0}
    assert found["cut"] == {"images": 1, "with_false_readings": 1, "false_readings": 1}
    assert found["all"]["false_readings"] == number - right
    assert "all" in CliRunner().invoke(dataset.app, ["try-traps", out]).stdout.splitlines()[-1]
