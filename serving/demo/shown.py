"""What the page says of an image or a video, as HTML."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from jinja2 import Environment, PackageLoader, Template

from serving.demo.reading import ReadImage
from serving.demo.sightings import sightings

# The stages of an image on its way, and what is left of the time: the network, and the queue of
# whoever stands between.
_STAGES = {"queue": "waiting", "decode": "decoding", "read": "reading"}
_REST = "way there and back"


def image_html(name: str, read: ReadImage) -> str:
    """The plates of an image and where the time went."""
    return _template("image.html.j2").render(name=name, read=read, timings=_timings([read]))


def video_html(name: str, frames: Sequence[ReadImage], wall_seconds: float) -> str:
    """The plates of a video, when each was seen, and where the time went.

    Args:
        name: The file's.
        frames: At least one, in order.
        wall_seconds: From the first question to the last answer.
    """
    return _template("video.html.j2").render(
        name=name,
        frames=frames,
        plates=sightings(frames),
        last=max(frames[-1].seconds, 1e-3),
        wall_seconds=wall_seconds,
        timings=_timings(frames),
    )


def waiting_html() -> str:
    """Before anything was dropped."""
    return _template("waiting.html.j2").render()


def error_html(name: str, reason: str) -> str:
    """Why there are no readings."""
    return _template("error.html.j2").render(name=name, reason=reason)


def _timings(reads: Sequence[ReadImage]) -> dict[str, float]:
    """Milliseconds of each stage, mean over the images; they add up to the round trip."""
    total = sum(read.round_trip_ms for read in reads) / len(reads)
    parts = {
        words: sum(read.answer.timings_ms.get(stage, 0.0) for read in reads) / len(reads)
        for stage, words in _STAGES.items()
    }
    return {**parts, _REST: max(0.0, total - sum(parts.values()))}


@cache
def _template(name: str) -> Template:
    # Autoescape: texts come from a server that may be anyone's, names from whoever drops files.
    loader = PackageLoader("serving.demo", "templates")
    return Environment(
        loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True
    ).get_template(name)
