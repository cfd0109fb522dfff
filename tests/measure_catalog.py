"""How fast the catalog is: `python -m tests.measure_catalog`.

Adds two versions of an annotation set and compares them, on a MariaDB server of its own and on
SQLite. The second version differs from the first in one image of a hundred. Prints one Markdown
row a figure.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from dataset_tools.catalog import AnnotationRow, Catalog, NewAnnotationSet, open_catalog
from sub_module.settings import Settings
from tests.servers.mariadb import MariaDB

NUM_IMAGES = 100_000
# One image of so many is changed, another added, another removed.
CHANGED_EACH = 100


def main() -> None:
    """Measure both kinds of database."""
    print(f"| figure, {NUM_IMAGES} images | measured | wanted |\n|---|---|---|")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as directory:
        place = Path(directory)
        measure(Settings(home=place / "home"))
        server = MariaDB(place)
        server.start(durable=True)
        try:
            measure(Settings(home=place / "home", database_url=server.new_url()))
        finally:
            server.kill()


def measure(settings: Settings) -> None:
    """Add two versions, compare them, and print what it took."""
    catalog = open_catalog(settings)
    product = catalog.check()
    first = add(catalog, "v1")
    second = add(catalog, "v2")
    started = time.perf_counter()
    found = catalog.diff("ann-v1", "ann-v2").images
    seconds = time.perf_counter() - started
    expected = NUM_IMAGES // CHANGED_EACH
    assert [len(found.added), len(found.changed), len(found.removed)] == [expected] * 3
    print(f"| {product}: insert | {first[0]:.1f} s, again {second[0]:.1f} s | under 20 s |")
    print(f"| {product}: memory that an insert adds | {max(first[1], second[1]):.0f} MB | flat |")
    print(f"| {product}: diff of two versions | {seconds:.2f} s | under 10 s |", flush=True)


def add(catalog: Catalog, version: str) -> tuple[float, float]:
    """Seconds, and by how many MB the process grew at most."""
    process = psutil.Process()
    before = process.memory_info().rss
    most = before

    def rows() -> Iterator[AnnotationRow]:
        nonlocal most
        for i in range(NUM_IMAGES):
            yield annotation(i, version)
            if i % 10_000 == 0:
                most = max(most, process.memory_info().rss)

    new = NewAnnotationSet(
        category="board_dataset",
        version=version,
        tag=f"ann-{version}",
        content_md5=None,
        num_images=NUM_IMAGES,
        num_plates=NUM_IMAGES,
        class_counts={"r_board": NUM_IMAGES},
        standard=None,
    )
    started = time.perf_counter()
    with catalog.transaction() as session:
        catalog.add_annotation_set(session, new, rows())
    return time.perf_counter() - started, (most - before) / 1e6


def annotation(index: int, version: str) -> AnnotationRow:
    """Image `index` of a version."""
    is_second = version == "v2"
    # Of each hundred in the second version the first has another name, the second other bytes.
    name = f"{'new' if is_second and index % CHANGED_EACH == 0 else 'image'}_{index:06d}"
    content = index + (NUM_IMAGES if is_second and index % CHANGED_EACH == 1 else 0)
    return AnnotationRow(
        image=f"{name}.jpg",
        label_file=f"{name}.json",
        image_md5=f"{content:032x}",
        label_md5=f"{index:032x}",
        image_bytes=100_000 + index,
        label_bytes=3000,
        num_plates=1,
    )


if __name__ == "__main__":
    main()
