"""Small annotation sets, homes, and what is in the places where a version leaves traces."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path

from dataset_tools.catalog import open_catalog
from dataset_tools.versions import DataSets, Published
from sub_module.settings import Settings
from tests.factories import write_set
from tests.standards import tiny_standard

STANDARD = tiny_standard()


def small_set(
    directory: Path, num_images: int = 3, seed: int = 0, size: tuple[int, int] = (96, 72)
) -> Path:
    """Write an annotation set of small images; gives the directory."""
    write_set(directory, STANDARD, num_images, seed, size)
    return directory


def edit(directory: Path) -> None:
    """As a person does: one label file saved again, one image renamed."""
    saved = directory / "000000.json"
    saved.write_text(json.dumps(json.loads(saved.read_text()), indent=1))
    for path in directory.glob("000002.*"):
        path.rename(path.with_name(f"new{path.suffix}"))
    renamed = directory / "new.json"
    renamed.write_text(renamed.read_text().replace("000002.jpg", "new.jpg"))


def add(settings: Settings, directory: Path, version: str | None = "v1") -> Published:
    """Add a set to the category `board`."""
    return DataSets(settings).add(directory, "board", version, STANDARD)


def files(directory: Path) -> dict[str, str]:
    """The checksum of each file below a directory."""
    return {
        path.relative_to(directory).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


def tags(settings: Settings) -> list[str]:
    """What git itself lists in the data set repository."""
    origin = settings.datasets or settings.home / "datasets.git"
    if not Path(origin).exists():
        return []
    command = ["git", "-C", str(origin), "tag", "--list"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()


def noted(settings: Settings) -> list[str]:
    """The tags of annotation sets in the catalog, each with all its rows."""
    catalog = open_catalog(settings)
    found = []
    for each in catalog.annotation_sets():
        rows = catalog.diff(each.tag, each.tag)
        assert not rows.images.added
        found.append(each.tag)
    return found


def stored(settings: Settings) -> dict[str, bytes]:
    """DVC's objects in a store that is a directory."""
    root = settings.home / "store" / "dvc"
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("??/*")}


def leftovers(settings: Settings) -> list[str]:
    """What operations that are over have left in the home."""
    root = settings.home / "versions"
    kept = {"cache", "doors.lock", "publish.lock"}
    partial = [path for path in root.rglob("*") if path.name.endswith((".tmp", ".partial"))]
    return [path.name for path in root.iterdir() if path.name not in kept] + [
        str(path) for path in partial
    ]
