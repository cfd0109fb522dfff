"""Photographs with text files: what is read from them, and what is said of those in disorder."""

from __future__ import annotations

from pathlib import Path

import pytest

from sub_module.datasets.photographs import (
    LabelledPlate,
    holds_photographs,
    load_photographs,
    plain_text,
)
from sub_module.errors import DataError


def _directory(folder: Path, **labels: str | bytes | None) -> Path:
    """An image (of no content) and a text file for each name; None: no text file."""
    for stem, label in labels.items():
        (folder / f"{stem}.jpg").write_bytes(b"")
        if label is not None:
            content = label if isinstance(label, bytes) else label.encode()
            (folder / f"{stem}.txt").write_bytes(content)
    return folder


def test_lines_become_plates(tmp_path: Path) -> None:
    two = "b.jpg\t10\t20\t100\t30\tB-MW 12\nb.jpg\t0\t0\t8.5\t4\tX1\n"
    (tmp_path / "README.md").write_text("not a photograph")
    first, second = load_photographs(_directory(tmp_path, b=two, a=""))
    assert (first.path.name, first.plates) == ("a.jpg", ())
    assert second.plates == (
        LabelledPlate((10, 20, 110, 50), "BMW12"),
        LabelledPlate((0, 0, 8.5, 4), "X1"),
    )


@pytest.mark.parametrize(
    ("label", "text", "reason"),
    [
        (b"\xef\xbb\xbfa.jpg\t1\t2\t3\t4\tAB1\r\n\r\n", "AB1", "a mark of Windows, blank lines"),
        ("\n  \na.jpg\t1\t2\t3\t4\tAB1", "AB1", "blank lines before, none at the end"),
        ("a.jpg\t1\t2\t3\t4\tAB1\t\t\n", "AB1", "tabs at the end"),
        (" a.jpg \t 1\t2\t3\t4\t ab-1 ", "AB1", "blanks round the fields, lower case"),
        ("a.png\t1\t2\t3\t4\tAB1", "AB1", "saved in another format since"),
        ("a.jpg\t1\t2\t3\t4\t", "", "no text"),
        ("a.jpg\t1\t2\t3\t4", "", "no field of the text"),
        ("a.jpg\t1\t2\t3\t4\t12가3456", "12가3456", "letters of any script"),
    ],
)
def test_labels_may_be_written_like_this(
    tmp_path: Path, label: str | bytes, text: str, reason: str
) -> None:
    (photograph,) = load_photographs(_directory(tmp_path, a=label))
    assert photograph.plates == (LabelledPlate((1, 2, 4, 6), text),), reason


@pytest.mark.parametrize(
    ("label", "words"),
    [
        ("a.jpg\t1\t2\t3\t4\tAB1\na.jpg,1,2,3,4,AB1", "a.txt, line 2: 1 fields, not file name"),
        ("a.jpg\t1\t2\t3\t4\tAB1\tx", "a.txt, line 1: 7 fields"),
        ("\na.jpg\t1\t2\tthree\t4\tAB1", "a.txt, line 2: x, y, width, height are no numbers: 1 2"),
        ("a.jpg\t1\t2\t0\t4\tAB1", "a.txt, line 1: a plate of 0x4 pixels at (1, 2)"),
        ("a.jpg\t1\tnan\t3\t4\tAB1", "a.txt, line 1: a plate of 3x4 pixels"),
        ("b.jpg\t1\t2\t3\t4\tAB1", "a.txt, line 1: names 'b.jpg', but the photograph beside it is"),
        (b"a.jpg\t1\t2\t3\t4\t\xff", "a.txt: not UTF-8 text"),
        (None, "a.jpg: a.txt is missing; an empty one says"),
    ],
)
def test_a_fault_names_file_and_line(tmp_path: Path, label: str | bytes | None, words: str) -> None:
    with pytest.raises(DataError) as error:
        load_photographs(_directory(tmp_path, a=label))
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_two_photographs_with_one_label_file(tmp_path: Path) -> None:
    (_directory(tmp_path, a="") / "a.PNG").write_bytes(b"")
    with pytest.raises(DataError, match=r"a\.jpg: a\.PNG has the same label file, a\.txt"):
        load_photographs(tmp_path)


def test_a_directory_without_photographs(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no photograph in it"):
        load_photographs(tmp_path)


def test_which_directories_hold_photographs(tmp_path: Path) -> None:
    assert not holds_photographs(tmp_path / "missing")
    assert not holds_photographs(tmp_path), "an empty one"
    (tmp_path / "requirements.txt").write_text("")
    (tmp_path / "photo.jpg").write_bytes(b"")
    assert not holds_photographs(tmp_path), "a text file that is no photograph's"
    assert holds_photographs(_directory(tmp_path, a=""))
    (tmp_path / "traps.json").write_text("{}")
    assert holds_photographs(tmp_path), "a JSON file that is no photograph's"
    (tmp_path / "a.json").write_text("{}")
    assert not holds_photographs(tmp_path), "an annotation set stays one"


@pytest.mark.parametrize(("text", "plain"), [("b·mw 12-3", "BMW123"), ("", ""), ("- ", "")])
def test_plain_text(text: str, plain: str) -> None:
    assert plain_text(text) == plain
