"""The page itself: what stands where, and what happens when something is dropped on it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from serving.demo.answer import Demo
from serving.demo.shown import waiting_html
from sub_module.datasets.coco import IMAGE_SUFFIXES

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
# Of the choice of plates.
_AS_STARTED = ""
_WORDS = """
<div class="pf-top"><h1>Plateflow</h1>
<p>Drop a photo on this page, or a video, of which the first {seconds:g} seconds are read.</p></div>
"""


@dataclass(frozen=True)
class _Parts:
    """What the page consists of."""

    drop: gr.File
    standard: gr.Radio
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
        _connect(demo, _laid_out(demo))
    return page


def _laid_out(demo: Demo) -> _Parts:
    gr.HTML(_WORDS.format(seconds=demo.settings.video.max_seconds), elem_classes="pf-flat")
    drop = gr.File(show_label=False, file_types=["image", "video"], height=132, elem_id="drop")
    with gr.Row(elem_classes="pf-choices"):
        examples = _example_buttons(Path(demo.settings.examples))
        standard = _standards(demo)
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
    return _Parts(drop, standard, examples, picture, frames, readings, said, answer)


def _standards(demo: Demo) -> gr.Radio:
    with gr.Row(elem_classes="pf-examples"):
        gr.HTML("<span class='pf-or'>plates</span>", min_width=0, elem_classes="pf-flat")
        return gr.Radio(
            [("as the server reads", _AS_STARTED), *demo.choices],
            value=demo.client.standard or _AS_STARTED,
            label="Plates",
            show_label=False,
            container=False,
            elem_id="standard",
        )


def _connect(demo: Demo, parts: _Parts) -> None:
    """What happens when something is dropped, or an example is chosen."""

    async def on_file(
        file: str,
        standard: str,
        progress: gr.Progress = gr.Progress(),  # noqa: B008 - how Gradio hands it over
    ) -> dict[Any, Any]:
        shown = await demo.answer(file, progress, standard or None)
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
    parts.drop.upload(on_file, [parts.drop, parts.standard], changed, **options)
    for button, file in parts.examples:
        button.click(partial(on_file, str(file)), parts.standard, changed, **options)


def _example_buttons(folder: Path) -> list[tuple[gr.Button, Path]]:
    files = sorted(file for file in folder.glob("*") if file.suffix.lower() in IMAGE_SUFFIXES)
    if not files:
        return []
    with gr.Row(elem_classes="pf-examples"):
        gr.HTML("<span class='pf-or'>or try</span>", min_width=0, elem_classes="pf-flat")
        buttons = [(gr.Button(file.stem, icon=str(file), size="sm"), file) for file in files]
    for button, _ in buttons:
        # Icons are not uploads: they stay as long as the page.
        button.keep_in_cache.update(button.temp_files)
    return buttons
