"""Many images by one server."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path

import pytest
from pydantic import SecretStr

from serving.client import PlateClient, ServerError, client_settings
from serving.client.many import FileResult, image_files, read_files
from sub_module.errors import DataError
from tests.servers.predictor import Predictor
from tests.serving.client.gateway import TOKEN, Gateway
from tests.standards import REPOSITORY

SAMPLES = sorted((REPOSITORY / "docs" / "samples").glob("*.jpg"))


def results(url: str, files: list[Path]) -> list[FileResult]:
    """What comes of files, as it comes."""

    async def read() -> list[FileResult]:
        client = PlateClient(client_settings({"url": url}), SecretStr(TOKEN))
        async with client, aclosing(read_files(client, files)) as coming:
            return [result async for result in coming]

    return asyncio.run(read())


def links(folder: Path, number: int) -> list[Path]:
    """So many files, the samples in turn."""
    folder.mkdir(exist_ok=True)
    files = [folder / f"{n:05}.jpg" for n in range(number)]
    for file, sample in zip(files, itertools.cycle(SAMPLES), strict=False):
        file.symlink_to(sample)
    return files


def test_results_come_in_order_and_failures_are_their_own(
    predictor: Predictor, tmp_path: Path
) -> None:
    files = links(tmp_path / "in", 20)
    files[7].unlink()
    files[11].unlink()
    files[11].write_text("no image")
    found = results(predictor.url, files)
    assert [result.file for result in found] == files
    failed = {n: result.error for n, result in enumerate(found) if result.answer is None}
    assert failed.keys() == {7, 11}
    assert failed[7] == "No such file or directory"
    assert failed[11].startswith("the server says 400: it is no image")
    texts = [[r.text for r in result.answer.readings] for result in found[:2] if result.answer]
    assert all(texts)
    for n, result in enumerate(found):
        if result.answer is not None:
            assert [r.text for r in result.answer.readings] == texts[n % 2]


def test_no_more_is_begun_than_is_on_its_way(gateway: Gateway, tmp_path: Path) -> None:
    """Thousands of files take no more memory than some: what counts is how many are begun."""
    begun = come = furthest = 0

    def counted(files: list[Path]) -> Iterator[Path]:
        nonlocal begun
        for file in files:
            begun += 1
            yield file

    async def read() -> None:
        nonlocal come, furthest
        settings = client_settings({"url": gateway.url, "concurrent": 3})
        client = PlateClient(settings, SecretStr(TOKEN))
        async with client, aclosing(read_files(client, counted(links(tmp_path, 20)))) as found:
            async for _ in found:
                come += 1
                furthest = max(furthest, begun - come)

    asyncio.run(read())
    assert come == len(gateway.asked) == 20
    assert furthest <= 4 * 3
    assert gateway.most_at_once == 3


def test_a_server_that_is_lost_in_the_middle(predictor: Predictor, tmp_path: Path) -> None:
    files, found = links(tmp_path, 100), []
    gateway = Gateway(predictor.url)

    async def read() -> None:
        with gateway.opened():
            settings = client_settings({"url": gateway.url, "patience_seconds": 0.5})
            client = PlateClient(settings, SecretStr(TOKEN))
            coming = read_files(client, files)
            while len(found) < 10:
                found.append(await anext(coming))
        async with client, aclosing(coming):
            async for result in coming:
                found.append(result)

    with pytest.raises(ServerError, match=r"cannot be reached: Connection refused, 0.5 s long"):
        asyncio.run(read())
    assert 10 <= len(found) < 60
    assert all(result.answer is not None for result in found)
    # Of those that were on their way some may be missing.
    come = [result.file for result in found]
    assert come == sorted(set(come))


def test_which_files_are_meant(tmp_path: Path) -> None:
    for name in ("b.jpg", "a.PNG", "notes.txt", "deep/c.tiff", "odd[1].jpg", "film.mp4"):
        file = tmp_path / "photos" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    (tmp_path / "empty" / "folder.jpg").mkdir(parents=True)
    photos = tmp_path / "photos"

    def names(*arguments: Path) -> list[str]:
        return [str(f.relative_to(photos)) for f in image_files([str(a) for a in arguments])]

    everything = ["a.PNG", "b.jpg", "deep/c.tiff", "odd[1].jpg"]
    assert names(photos) == everything
    assert names(photos / "*.jpg") == ["b.jpg", "odd[1].jpg"]
    assert names(photos / "**/*.tiff") == ["deep/c.tiff"]
    assert names(photos / "odd[1].jpg") == ["odd[1].jpg"]
    # By name, as it is; each file once, in the order of the arguments.
    assert names(photos / "notes.txt", photos / "none.jpg", photos / "b.jpg", photos) == [
        *("notes.txt", "none.jpg", "b.jpg", "a.PNG", "deep/c.tiff", "odd[1].jpg")
    ]
    for nothing, reason in {"empty": "no image in it", "*.jpg": "no such files"}.items():
        with pytest.raises(DataError, match=reason):
            image_files([str(tmp_path / nothing)])
