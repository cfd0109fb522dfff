"""Proposed labels: the model's own readings, in labelme's files, and never over a person's work."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import typer
from labelme._label_file import LabelFile
from PIL import Image
from typer.testing import CliRunner

from commands.labelling import register
from dataset_tools.labelme import Annotation, annotation_json, read_annotation
from dataset_tools.preannotate import preannotate
from dataset_tools.proposed_shapes import characters_of, proposed_shapes
from sub_module.datasets.coco import load_image
from sub_module.engine.infer import SHIPPED_MODEL, load_detector
from sub_module.errors import DataError
from sub_module.plates import PlateReading
from sub_module.plates.assemble import assemble_plates
from sub_module.plates.geometry import area_of, quadrangle_iou
from sub_module.plates.instances import Findings
from sub_module.plates.read_instances import read_instances
from sub_module.plates.reading import texts_of
from tests.dataset_tools.drawn import draw
from tests.standards import kr_standard, tiny_standard
from tests.sub_module.plates.found_instances import (
    Find,
    drawn_plate,
    finds_of,
    finds_without,
    instances_of,
    place_of,
)


@pytest.fixture(scope="module")
def detector():
    return load_detector(SHIPPED_MODEL)


@pytest.fixture(scope="module")
def drawn_set(tmp_path_factory):
    folder = tmp_path_factory.mktemp("drawn")
    draw(folder / "set", 12, seed=3)
    return folder / "set"


@pytest.fixture
def images(drawn_set, tmp_path):
    """Drawn images without their labels."""
    shutil.copytree(drawn_set, tmp_path / "set")
    for label_file in (tmp_path / "set").rglob("*.json"):
        label_file.unlink()
    return tmp_path / "set"


def _plates(shapes, standard):
    return assemble_plates(
        [shape.label for shape in shapes],
        [shape.polygon for shape in shapes],
        [shape.group_id for shape in shapes],
        standard,
    )


def _contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(folder.rglob("*.json"))}


def test_labelme_opens_the_proposals_and_they_read_what_the_model_reads(images, detector):
    done = preannotate(images, detector)
    files = sorted(images.rglob("*.json"))
    assert list(done.label_files) == [f.relative_to(images).as_posix() for f in files]
    assert (len(files), done.num_kept, done.problems) == (12, 0, ())
    num_plates = 0
    for file in files:
        opened = LabelFile(str(file))
        assert opened.flags == {"reviewed": False}
        annotation = read_annotation(file, detector.standard)
        assert not annotation.reviewed
        assert opened.image_path == annotation.image_name
        image = load_image(file.parent / annotation.image_name)
        (readings,) = detector.predict([image])
        plates = _plates(annotation.shapes, detector.standard)
        assert texts_of(plate.reading for plate in plates) == texts_of(readings)
        num_plates += len(plates)
    assert num_plates == done.num_plates >= 8


def test_characters_are_proposed_where_they_stand(drawn_set, images, detector):
    preannotate(images, detector)
    ious = []
    for truth_file in sorted(drawn_set.rglob("*.json")):
        truth = read_annotation(truth_file, detector.standard)
        found = read_annotation(images / truth_file.relative_to(drawn_set), detector.standard)
        wanted = {p.reading.text: p for p in _plates(truth.shapes, detector.standard)}
        for plate in _plates(found.shapes, detector.standard):
            if plate.reading.text in wanted:
                other = wanted[plate.reading.text]
                for (a, _), (b, _) in zip(plate.characters, other.characters, strict=True):
                    ious.append(_box_iou(found.shapes[a].polygon, truth.shapes[b].polygon))
    assert len(ious) >= 50
    # The best that places by the standard alone can do: a 1 fills a third of its place.
    assert np.median(ious) > 0.6
    assert np.percentile(ious, 5) > 0.25


def _box_iou(a, b):
    low = np.maximum(a.min(axis=0), b.min(axis=0))
    common = np.maximum(np.minimum(a.max(axis=0), b.max(axis=0)) - low, 0).prod()
    return common / (np.ptp(a, axis=0).prod() + np.ptp(b, axis=0).prod() - common)


def test_what_has_a_label_file_keeps_it(images, detector):
    names = sorted(path for path in images.rglob("*.jpg"))
    # A person's file, one under a name of its own, and one that is damaged.
    size = Image.open(names[0]).size
    names[0].with_suffix(".json").write_text(annotation_json(Annotation(names[0].name, *size, ())))
    other = names[1].with_name("mine.json")
    other.write_text(json.dumps({"imagePath": f"..\\old\\{names[1].name}", "shapes": []}))
    names[2].with_suffix(".json").write_text("{")
    before = _contents(images)
    for overwrite in (False, True):
        done = preannotate(images, detector, overwrite)
        assert done.num_kept == 3
        assert len(done.label_files) == 9
        assert before.items() <= _contents(images).items()
        assert not names[1].with_suffix(".json").exists()
        for label_file in done.label_files:
            (images / label_file).unlink()


def _ticked(file: Path) -> None:
    loaded = LabelFile(str(file))
    _save(loaded, file, flags={"reviewed": True})


def _moved(file: Path) -> None:
    loaded = LabelFile(str(file))
    loaded.shapes[0]["points"][0][0] += 1.5
    _save(loaded, file, flags=loaded.flags)


def _only_saved(file: Path) -> None:
    loaded = LabelFile(str(file))
    _save(loaded, file, flags=loaded.flags)


def _save(loaded: LabelFile, file: Path, flags: dict[str, bool]) -> None:
    """As labelme's window saves."""
    shapes = [{k: v for k, v in s.items() if k != "other_data"} for s in loaded.shapes]
    raw = json.loads(file.read_text())
    loaded.save(
        str(file),
        shapes,
        loaded.image_path,
        raw["imageHeight"],
        raw["imageWidth"],
        other_data=loaded.other_data,
        flags=flags,
    )


@pytest.mark.parametrize(
    ("edit", "is_kept"),
    [
        pytest.param(_ticked, True, id="ticked"),
        pytest.param(_moved, True, id="corrected, not ticked yet"),
        pytest.param(_only_saved, False, id="looked at"),
    ],
)
def test_overwrite_replaces_proposals_that_nobody_worked_on(images, detector, edit, is_kept):
    done = preannotate(images, detector)
    file = next(f for f in sorted(images.rglob("*.json")) if json.loads(f.read_text())["shapes"])
    proposed = file.read_bytes()
    edit(file)
    edited = file.read_bytes()
    assert edited != proposed
    assert preannotate(images, detector).num_kept == 12
    assert file.read_bytes() == edited
    again = preannotate(images, detector, overwrite=True)
    assert again.num_kept == is_kept
    assert len(again.label_files) == len(done.label_files) - is_kept
    assert file.read_bytes() == (edited if is_kept else proposed)


def test_a_file_that_is_saved_meanwhile_is_kept(images, detector):
    class _Slow:
        standard = detector.standard

        def find(self, pixels):
            # The person in front of labelme is faster.
            for image in images.rglob("*.jpg"):
                image.with_suffix(".json").write_text("mine")
            return detector.find(pixels)

    done = preannotate(images, _Slow())
    assert (done.label_files, done.num_kept) == ((), 12)
    assert set(_contents(images).values()) == {b"mine"}


def test_images_that_cannot_be_read_or_share_a_name_are_told(images, detector):
    first, second, *_ = sorted(images.rglob("*.jpg"))
    first.write_bytes(b"no image")
    Image.open(second).save(second.with_suffix(".png"))
    seen = []
    done = preannotate(images, detector, progress=lambda *state: seen.append(state[:2]))
    problems = {problem.file: problem.reason for problem in done.problems}
    assert set(problems) == {
        path.relative_to(images).as_posix() for path in (first, second.with_suffix(".png"))
    }
    assert "no image" in problems[first.relative_to(images).as_posix()]
    assert not first.with_suffix(".json").exists()
    assert "is the label file of another image" in " ".join(problems.values())
    assert json.loads(second.with_suffix(".json").read_text())["imagePath"] == second.name
    assert seen == [(i, 13) for i in range(1, 14)]


def test_no_images_at_all(tmp_path, detector):
    with pytest.raises(DataError, match="none: no such directory"):
        preannotate(tmp_path / "none", detector)
    (tmp_path / ".hidden").mkdir()
    Image.new("RGB", (64, 48)).save(tmp_path / ".hidden" / "a.png")
    with pytest.raises(DataError, match="no image in this directory"):
        preannotate(tmp_path, detector)


def test_a_label_file_that_cannot_be_written_is_told_and_the_others_are_written(images, detector):
    first, *others = sorted(images.rglob("*.jpg"))
    # The file system has no room for a name that is longer while it is written.
    long = first.rename(first.with_name("x" * 245 + ".jpg"))
    done = preannotate(images, detector)
    assert len(done.label_files) == len(others)
    (problem,) = done.problems
    assert problem.file == long.relative_to(images).as_posix()
    assert problem.reason.endswith("cannot be written: File name too long")


def _typed(*arguments):
    app = typer.Typer()
    register(app)
    app.command("other")(lambda: None)
    return CliRunner().invoke(app, ["preannotate", *map(str, arguments)])


def test_the_command_reads_with_the_model_in_use(images, tmp_path, monkeypatch):
    monkeypatch.setenv("PLATEFLOW_HOME", str(tmp_path / "home"))
    typed = _typed(images)
    assert typed.exit_code == 0
    assert f"{images}: 12 label files, " in typed.output
    assert "tick the flag 'reviewed'" in typed.output
    assert "0 label files, 0 plates; 12 left as they were" in _typed(images).output
    assert "12 label files" in _typed(images, "--overwrite").output
    broken = next(images.rglob("*.jpg"))
    broken.with_suffix(".json").unlink()
    broken.write_bytes(b"")
    labels = next(path for path in images.rglob("*.json"))
    labels.unlink()
    typed = _typed(images)
    assert f"{images}: 1 label file, " in typed.output
    assert isinstance(typed.exception, DataError)
    assert str(typed.exception) == f"{images}: 1 image has no label file"
    assert f"{broken}: it is no image" in typed.output


SIZE = (600, 400)


def _reading_of(standard, layout, characters, corners):
    return PlateReading.from_slots(
        standard.layout(layout), (0, 0, 1, 1), np.array(corners), characters, 0.9
    )


@pytest.mark.parametrize(
    ("standard", "layout", "text"),
    [
        (kr_standard(), "two_line", "12A3456"),
        (kr_standard(), "one_line", "98E7654"),
        (tiny_standard(), "stacked", "WXY01_"),
        (tiny_standard(), "stacked", "WXY012"),
        (tiny_standard(), "flat", "W__01"),
        (tiny_standard(), "flat", "WX_01"),
        (tiny_standard(), "flat", "W_X01"),
        (tiny_standard(), "flat", "WXY01"),
    ],
)
@pytest.mark.parametrize("degrees", [0, 25, 180])
def test_a_reading_without_outlines_becomes_shapes_that_read_it(standard, layout, text, degrees):
    characters = [None if c == "_" else c for c in text]
    corners = drawn_plate(standard, layout, text, degrees).corners
    reading = _reading_of(standard, layout, characters, corners)
    assert characters_of(reading, standard.layout(layout)) == characters
    shapes = proposed_shapes(Findings((reading,)), standard, SIZE)
    assert {shape.group_id for shape in shapes} == {0}
    (plate,) = _plates(shapes, standard)
    assert plate.reading.text == reading.text
    np.testing.assert_allclose(plate.reading.corners, corners, atol=0.02)
    fields = [(r.region, r.symbol, r.serial) for r in (plate.reading, reading)]
    assert fields[0] == fields[1]


def test_a_plate_that_reaches_out_of_the_image_is_cut_at_its_edge():
    standard = kr_standard()
    corners = drawn_plate(centre=(560, 200), degrees=5).corners
    reading = _reading_of(standard, "one_line", list("12A3456"), corners)
    shapes = proposed_shapes(Findings((reading,)), standard, SIZE)
    for shape in shapes:
        assert (shape.polygon >= 0).all()
        assert (shape.polygon <= SIZE).all()
        assert area_of(shape.polygon) > 0
    # Characters that lie outside altogether are no shapes.
    assert 3 < sum(len(shape.label) == 1 for shape in shapes) < 7


def _with_masks(finds, standard):
    instances = instances_of(finds)
    return Findings(read_instances(instances, standard, 0.3, 0.5), instances)


@pytest.mark.parametrize(
    ("standard", "layout", "text"),
    [
        (kr_standard(), "two_line", "12A3455"),
        (kr_standard(), "one_line", "11A1111"),
        (tiny_standard(), "flat", "WX_01"),
    ],
)
def test_a_model_with_masks_gives_its_outlines(standard, layout, text):
    plate = drawn_plate(standard, layout, text, degrees=12)
    finds = finds_of(plate)
    # A worse find of the same character, and one of another class in its place.
    for number in (0, 3):
        twin = finds[place_of(finds, number, standard)]
        finds.append(Find(twin.label, twin.points + 3, 0.5))
        finds.append(Find(standard.label_of(text[1]), twin.points + 2, 0.4))
    findings = _with_masks(finds, standard)
    shapes = proposed_shapes(findings, standard, SIZE)
    (found,) = _plates(shapes, standard)
    assert found.reading.text == plate.text
    by_label = [(s.label, s.polygon) for s in shapes]
    for label, polygon in by_label:
        drawn = [s.polygon for s in plate.shapes if s.label == label]
        assert max(_box_iou(polygon, other) for other in drawn) > 0.95
    assert [label for label, _ in by_label] == [shape.label for shape in plate.shapes]
    characters = [len(polygon) for label, polygon in by_label if len(label) == 1]
    assert min(characters) > 4, "outlines, not boxes"


def test_groups_that_a_model_missed_are_where_the_standard_has_them():
    standard = kr_standard()
    plate = drawn_plate()
    finds = [
        replace(f, points=f.points + 90) if f.label == "l_m_n" else f
        for f in finds_without(plate, "l_s_n")
    ]
    shapes = proposed_shapes(_with_masks(finds, standard), standard, SIZE)
    drawn = {s.label: s.polygon.astype(np.float32) for s in plate.shapes}
    for shape in shapes:
        if shape.label in standard.group_labels:
            assert quadrangle_iou(shape.polygon, drawn[shape.label]) > 0.95
    assert _plates(shapes, standard)[0].reading.text == plate.text


def test_two_plates_are_told_apart_and_none_is_none():
    standard = kr_standard()
    upper, lower = drawn_plate(centre=(300, 100)), drawn_plate(text="77B9090", centre=(300, 300))
    findings = _with_masks([*finds_of(upper), *finds_of(lower)], standard)
    shapes = proposed_shapes(findings, standard, SIZE)
    assert sorted(p.reading.text for p in _plates(shapes, standard)) == ["12A3456", "77B9090"]
    assert {shape.group_id for shape in shapes} == {0, 1}
    assert proposed_shapes(Findings(()), standard, SIZE) == ()
