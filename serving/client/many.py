"""Many images by one server: in their order, so many at a time, and each failure its own."""

from __future__ import annotations

import asyncio
import glob
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from serving.client.client import PlateClient
from serving.client.errors import ServerError
from serving.predictor.answer import ImageAnswer
from sub_module.datasets.coco import IMAGE_SUFFIXES
from sub_module.errors import DataError

# Images begun, as a multiple of those on their way: so that a slow one holds nobody up.
_AHEAD = 4
# Each may hold an image and copies of it.
_KEPT_AT_ONCE = 4


@dataclass(frozen=True)
class FileResult:
    """What came of one file.

    Attributes:
        file: The image.
        answer: Its readings; None: it has none.
        error: Why it has none; empty: it has.
    """

    file: Path
    answer: ImageAnswer | None
    error: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON: the server's answer, or an error."""
        if self.answer is None:
            return {"file": str(self.file), "error": self.error}
        return {"file": str(self.file), **self.answer.to_dict()}


def image_files(arguments: Sequence[str]) -> list[Path]:
    """The files that are meant: by name, all images below a directory, or all that fit a pattern.

    A name is taken as it is, whether there is such a file or not.

    Raises:
        DataError: A directory holds no image, or nothing fits a pattern.
    """
    files: dict[Path, None] = {}
    for argument in arguments:
        path = Path(argument)
        if path.is_dir():
            found = [f for f in path.rglob("*") if _is_image(f)]
            what = "no image in it"
        elif path.exists() or not glob.has_magic(argument):
            found, what = [path], ""
        else:
            found = [Path(file) for file in glob.iglob(argument, recursive=True)]
            found, what = [file for file in found if not file.is_dir()], "no such files"
        if not found:
            raise DataError(f"{argument}: {what}")
        files.update(dict.fromkeys(sorted(found)))
    return list(files)


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in IMAGE_SUFFIXES and not path.is_dir()


async def read_files(
    client: PlateClient,
    files: Iterable[Path],
    keep: Callable[[FileResult], None] = lambda result: None,
) -> AsyncGenerator[FileResult, None]:
    """Read images; results come in the order of the files, however many there are.

    When the server is lost, the results that are there still come before the error.

    Args:
        client: Asks the server.
        files: The images.
        keep: Called in a thread with each result that has readings, such as to write a picture; a
            `DataError` of it is that image's failure.

    Raises:
        ServerError: The server cannot be asked.
        OSError: Of `keep`.
    """

    keeping = asyncio.Semaphore(_KEPT_AT_ONCE)

    async def read(file: Path) -> FileResult:
        try:
            result = FileResult(file, await client.read(file))
            async with keeping:
                await asyncio.to_thread(keep, result)
        except DataError as error:
            return FileResult(file, None, str(error))
        return result

    remaining, begun = iter(files), deque[asyncio.Task[FileResult]]()
    try:
        while True:
            while len(begun) < _AHEAD * client.num_at_once:
                file = next(remaining, None)
                if file is None:
                    break
                begun.append(asyncio.create_task(read(file)))
            if not begun:
                return
            first = begun.popleft()
            try:
                yield await first
            except ServerError:
                for task in begun:
                    if task.done() and not task.cancelled() and task.exception() is None:
                        yield task.result()
                raise
    finally:
        for task in begun:
            task.cancel()
        await asyncio.gather(*begun, return_exceptions=True)
