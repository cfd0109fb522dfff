"""The page itself: what stands where, and what happens when something is dropped on it."""

from __future__ import annotations

import io
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image

from serving.client import ClientSettings, PlateClient
from serving.demo.pictures import jpeg_of
from serving.demo.reading import read_image, read_video
from serving.demo.settings import DemoSettings
from serving.demo.shown import error_html, image_html, video_html, waiting_html
from serving.demo.video import is_video
from sub_module.datasets.coco import IMAGE_SUFFIXES
from sub_module.errors import PlateflowError
from sub_module.plates import PlateStandard
from sub_module.settings import Settings

CSS_FILE = Path(__file__).with_name("page.css")
# Fonts of the visitor's own machine: the page asks nobody but its server for anything.
THEME = gr.themes.Base(
    primary_hue="blue",
    neutral_hue="slate",
    font=["system-ui", "sans-serif"],
    font_mono=["ui-monospace", "monospace"],
    radius_size="lg",
).set(
    body_background_fill="#f6f7f9",
    block_border_width="1px",
    # Gradio's own grey is hard to read on white.
    body_text_color_subdued="#5b6470",
)
# Uploads and pictures are deleted when they are so old.
_KEPT_SECONDS = 600
_WORDS = """
<div class="pf-top"><h1>Plateflow</h1>
<p>Drop a photo on this page, or a video, of which the first {seconds:g} seconds are read.</p></div>
"""


@dataclass(frozen=True)
class Demo:
    """What it takes to answer visitors."""

    settings: DemoSettings
    client: ClientSettings
    standard: PlateStandard

    async def answer(self, file: str, progress: gr.Progress) -> dict[str, Any]:
        """Read what was dropped.

        Returns:
            What the page is to show: the `picture` of an image or the `frames` of a video, the
            `readings` in words, the `answer` as the server gave it.
        """
        path = Path(file)
        try:
            async with PlateClient(self.client, Settings().serve_token) as client:
                read = self._video if is_video(path) else self._image
                return await read(client, path, progress)
        except PlateflowError as error:
            return {"readings": error_html(path.name, str(error))}

    async def _image(
        self, client: PlateClient, path: Path, progress: gr.Progress
    ) -> dict[str, Any]:
        progress(0, desc="reading")
        read = await read_image(client, path, self.standard, self.settings)
        return {
            "picture": read.picture,
            "readings": image_html(path.name, read),
            "answer": read.answer.to_dict(),
        }

    async def _video(
        self, client: PlateClient, path: Path, progress: gr.Progress
    ) -> dict[str, Any]:
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


@dataclass(frozen=True)
class _Parts:
    """What the page consists of."""

    drop: gr.File
    examples: list[tuple[gr.Button, Path]]
    picture: gr.Image
    frames: gr.Gallery
    readings: gr.HTML
    said: gr.Accordion
    answer: gr.JSON


def build_page(demo: Demo) -> gr.Blocks:
    """The page; `serving.demo.server` serves it."""
    page: gr.Blocks
    with gr.Blocks(
        title="Plateflow",
        # Else it tells its makers of every start.
        analytics_enabled=False,
        delete_cache=(_KEPT_SECONDS, _KEPT_SECONDS),
    ) as page:
        _connect(demo, _laid_out(demo.settings))
    return page


def _laid_out(settings: DemoSettings) -> _Parts:
    gr.HTML(_WORDS.format(seconds=settings.video.max_seconds), elem_classes="pf-flat")
    drop = gr.File(show_label=False, file_types=["image", "video"], height=132, elem_id="drop")
    examples = _example_buttons(Path(settings.examples))
    with gr.Row(equal_height=False):
        with gr.Column(scale=11, min_width=320):
            picture = gr.Image(
                show_label=False,
                format="jpeg",
                interactive=False,
                buttons=["download", "fullscreen"],
                visible=False,
                elem_id="picture",
            )
            frames = gr.Gallery(
                label="Frames with plates",
                format="jpeg",
                interactive=False,
                preview=True,
                object_fit="contain",
                height=500,
                buttons=["download", "fullscreen"],
                visible=False,
                elem_id="frames",
            )
        with gr.Column(scale=9, min_width=320):
            readings = gr.HTML(waiting_html(), elem_id="readings", elem_classes="pf-flat")
            with gr.Accordion("What the server answered", open=False, visible=False) as said:
                answer = gr.JSON(show_label=False, max_height=420)
    return _Parts(drop, examples, picture, frames, readings, said, answer)


def _connect(demo: Demo, parts: _Parts) -> None:
    """What happens when something is dropped, or an example is chosen."""

    async def on_file(
        file: str | None,
        progress: gr.Progress = gr.Progress(),  # noqa: B008 - how Gradio hands it over
    ) -> dict[Any, Any]:
        if file is None:
            return {parts.readings: waiting_html()}
        shown = await demo.answer(file, progress)
        pictures = shown.get("frames")
        return {
            # Empty again, for the next one.
            parts.drop: None,
            parts.picture: gr.Image(shown.get("picture"), visible="picture" in shown),
            parts.frames: gr.Gallery(pictures, visible=bool(pictures), selected_index=0),
            parts.readings: shown["readings"],
            parts.said: gr.Accordion(visible="answer" in shown),
            parts.answer: shown.get("answer"),
        }

    changed = [
        parts.drop,
        parts.picture,
        parts.frames,
        parts.readings,
        parts.said,
        parts.answer,
    ]
    options: dict[str, Any] = {
        "show_progress_on": parts.readings,
        "concurrency_id": "visitors",
        "concurrency_limit": demo.settings.visitors,
        "api_visibility": "private",
    }
    parts.drop.upload(on_file, parts.drop, changed, **options)
    for button, file in parts.examples:
        button.click(partial(on_file, str(file)), None, changed, **options)


def _example_buttons(folder: Path) -> list[tuple[gr.Button, Path]]:
    files = sorted(file for file in folder.glob("*") if file.suffix.lower() in IMAGE_SUFFIXES)
    if not files:
        return []
    with gr.Row(elem_classes="pf-examples"):
        gr.HTML("<span class='pf-or'>or try</span>", min_width=0, elem_classes="pf-flat")
        return [
            (gr.Button(file.stem, icon=str(file), size="sm", min_width=0), file) for file in files
        ]
