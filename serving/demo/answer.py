"""What the page is to show of a file that was dropped on it."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from serving.client import ClientSettings, PlateClient
from serving.demo.pictures import jpeg_of
from serving.demo.reading import read_image, read_video
from serving.demo.settings import DemoSettings
from serving.demo.shown import error_html, image_html, video_html
from serving.demo.video import is_video
from sub_module.errors import PlateflowError
from sub_module.plates import PlateStandard
from sub_module.plates.standards import known_standards
from sub_module.settings import Settings

# As Gradio's: how many are done of how many, and with `desc` what.
Progress = Callable[..., object]


@dataclass(frozen=True)
class Demo:
    """What it takes to answer visitors.

    Attributes:
        settings: Of the page.
        client: Whom it asks; its `standard` is chosen when the page opens.
        standard: What pictures are drawn with where an answer names no known standard.
    """

    settings: DemoSettings
    client: ClientSettings
    standard: PlateStandard

    @property
    def choices(self) -> list[str]:
        """The names of the standards that a visitor may choose among."""
        return list(dict.fromkeys([*known_standards(), *filter(None, [self.client.standard])]))

    async def answer(
        self, file: str, progress: Progress, standard: str | None = None
    ) -> dict[str, Any]:
        """Read what was dropped.

        Args:
            file: An image or a video.
            progress: Told how far it came.
            standard: Name of the standard of the plates to read; None: as the server was started.

        Returns:
            What the page is to show: the `picture` of an image or the `frames` of a video, the
            `readings` in words, the `answer` as the server gave it.
        """
        path = Path(file)
        try:
            asked = self.client.model_copy(update={"standard": standard})
            async with PlateClient(asked, Settings().serve_token) as client:
                read = self._video if is_video(path) else self._image
                return await read(client, path, progress)
        except PlateflowError as error:
            return {"readings": error_html(path.name, str(error))}

    async def _image(self, client: PlateClient, path: Path, progress: Progress) -> dict[str, Any]:
        progress(0, desc="reading")
        read = await read_image(client, path, self.standard, self.settings)
        return {
            "picture": read.picture,
            "readings": image_html(path.name, read),
            "answer": read.answer.to_dict(),
        }

    async def _video(self, client: PlateClient, path: Path, progress: Progress) -> dict[str, Any]:
        video = self.settings.video
        num_frames = round(video.frames_per_second * video.max_seconds)
        frames, pictures, start = [], [], time.monotonic()
        async for frame in read_video(client, path, self.standard, self.settings):
            frames.append(frame)
            progress((len(frames), num_frames), desc="reading", unit="frames")
            if frame.found:
                texts = ", ".join(found.reading.text for found in frame.found)
                # A minute of pictures as pixels would be gigabytes.
                picture = Image.open(io.BytesIO(jpeg_of(frame.picture)))
                pictures.append((picture, f"{frame.seconds:.1f} s: {texts}"))
        return {
            "frames": pictures,
            "readings": video_html(path.name, frames, time.monotonic() - start),
            "answer": [
                {"seconds": round(frame.seconds, 3), **frame.answer.to_dict()} for frame in frames
            ],
        }
