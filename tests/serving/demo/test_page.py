"""The page in a browser, before a live server: what a visitor sees."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import httpx
import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.servers.predictor import ROOT, SAMPLE_TEXTS, Predictor

_COFFEE = ROOT / "docs" / "samples" / "coffee.jpg"
_PATIENCE_MS = 30_000


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    assert program, "no browser; on Debian or Ubuntu: apt-get install chromium"
    with sync_playwright() as playwright:
        # Chromium's sandbox does not start for root, who tests in containers.
        started = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(scope="module")
def page(browser: Browser, page_url: str) -> Iterator[Page]:
    """The page as somebody keeps it open; it may ask nobody but its own server for anything."""
    opened = browser.new_page(viewport={"width": 1280, "height": 900})
    asked: list[str] = []
    opened.on("request", lambda request: asked.append(request.url))
    opened.goto(page_url)
    yield opened
    assert asked
    assert [u for u in asked if not u.startswith((page_url, "data:", "blob:"))] == []


def drop(page: Page, file: Path) -> None:
    shows_another(page, lambda: page.set_input_files("#drop input[type=file]", file))


def shows_another(page: Page, act: Callable[[], None]) -> None:
    """Do something, and wait until the page shows other readings."""
    page.locator("#readings .pf").evaluate("shown => shown.classList.add('old')")
    act()
    expect(page.locator("#readings .pf:not(.old)")).to_be_visible(timeout=_PATIENCE_MS)


def texts(page: Page) -> list[str]:
    return page.locator("#readings td strong").all_inner_texts()


def brightness(page: Page, selector: str) -> float:
    """Of a part of the page, from black (0) to white (255)."""
    return float(pixels_of(page.locator(selector).screenshot()).mean())


def pixels_of(data: bytes) -> np.ndarray:
    """Of an image file: (H, W, 3) uint8 RGB."""
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    assert pixels is not None
    return pixels


def test_a_photo(page: Page, predictor: Predictor) -> None:
    told = httpx.post(f"{predictor.url}/read", content=_COFFEE.read_bytes()).json()
    drop(page, _COFFEE)
    expect(page.locator("#readings h2")).to_have_text("2 plates")
    assert texts(page) == [plate["text"] for plate in told["plates"]] == ["87E0132", "37D5265"]
    expect(page.locator("#readings header p")).to_contain_text("coffee.jpg, 640")
    expect(page.locator("#readings footer")).to_contain_text(told["model"]["version"])
    # The plates are marked in the layouts' colours, which the photo itself does not have.
    shown = page.locator("#picture img")
    expect(shown).to_be_visible()
    address = shown.get_attribute("src")
    assert address is not None
    picture = pixels_of(httpx.get(address).content)
    assert picture.shape == (480, 640, 3)
    for colour in ((200, 30, 60), (20, 95, 200)):
        assert (np.abs(picture.astype(int) - colour).max(axis=2) < 30).sum() > 500
    # Stages add up to the whole.
    total = float(page.locator(".pf-times figcaption b").inner_text().split()[0])
    parts = [float(part) for part in page.locator(".pf-times li b").all_inner_texts()]
    assert len(parts) == 4
    assert sum(parts) == pytest.approx(total, abs=1)
    # What the server said, for who wants to program against it.
    page.get_by_text("What the server answered").click()
    expect(page.get_by_text('"serial"').first).to_be_visible()


def test_an_example(page: Page) -> None:
    shows_another(page, page.get_by_role("button", name="motorcycle").click)
    expect(page.locator("#readings header p")).to_contain_text("motorcycle.jpg")
    assert sorted(texts(page)) == SAMPLE_TEXTS


def test_a_choice_of_plates(page: Page) -> None:
    plates = page.locator("#standard")
    expect(plates.get_by_label("as the server reads")).to_be_checked()
    plates.get_by_label("kr", exact=True).check()
    drop(page, _COFFEE)
    expect(page.locator("#readings footer")).to_contain_text("plates kr")
    plates.get_by_label("eu", exact=True).check()
    drop(page, _COFFEE)
    expect(page.get_by_role("alert")).to_contain_text("cannot read eu")
    plates.get_by_label("as the server reads").check()


def test_a_video_and_then_a_photo(page: Page, drive: Path) -> None:
    drop(page, drive)
    expect(page.locator("#readings header p")).to_contain_text("12 frames of")
    # Each plate once, with the times when it was seen.
    found = dict(zip(texts(page), page.locator(".pf-seen small").all_inner_texts(), strict=True))
    assert {"87E0132", "37D5265", "16E9927", "97E5786"} <= {*found}
    assert found["37D5265"].split(", ")[1].startswith("0.0 to ")
    assert found["97E5786"].endswith(" to 2.8 s")
    # Frames to look at.
    expect(page.locator("#frames img").first).to_be_visible()
    expect(page.locator("#frames")).to_contain_text(re.compile(r"0\.0 s: .*37D5265"))
    expect(page.locator("#picture")).to_have_count(0)
    drop(page, _COFFEE)
    expect(page.locator("#picture img")).to_be_visible()
    expect(page.locator("#frames")).to_have_count(0)
    assert texts(page) == ["87E0132", "37D5265"]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("notes.jpg", b"Dear diary", "no image"),
        ("<img src=x onerror=alert(1)>.jpg", b"GIF89a" + bytes(20), "GIF"),
        ("cut.mp4", b"\0\0\0\x18ftypisom" + bytes(2000), "video cannot be opened"),
    ],
    ids=["text", "a name that is HTML", "half a video"],
)
def test_what_cannot_be_read(
    page: Page, tmp_path: Path, name: str, content: bytes, reason: str
) -> None:
    (tmp_path / name).write_bytes(content)
    drop(page, tmp_path / name)
    expect(page.locator("#readings .pf-error")).to_contain_text(reason)
    expect(page.locator("#readings .pf-error img")).to_have_count(0)
    expect(page.locator("#picture")).to_have_count(0)


def test_no_plate(page: Page, tmp_path: Path) -> None:
    grey = tmp_path / "grey.png"
    cv2.imwrite(str(grey), np.full((200, 300, 3), 128, np.uint8))
    drop(page, grey)
    expect(page.locator("#readings h2")).to_have_text("No plates")


def test_wide_and_light_narrow_and_dark(page: Page, browser: Browser, page_url: str) -> None:
    narrow = browser.new_page(viewport={"width": 360, "height": 844}, color_scheme="dark")
    narrow.goto(page_url)
    for opened, width, is_light in ((page, 1280, True), (narrow, 360, False)):
        drop(opened, _COFFEE)
        assert opened.evaluate("document.documentElement.scrollWidth") <= width
        for choice in opened.locator("#standard label").all():
            place = choice.bounding_box()
            assert place
            assert place["x"] + place["width"] <= width
        inside, card = (opened.locator(part).bounding_box() for part in (".pf table", ".pf"))
        assert inside
        assert card
        assert inside["x"] + inside["width"] <= card["x"] + card["width"]
        assert (brightness(opened, ".pf") > 128) == is_light
    narrow.close()


def test_nobody_can_ask_the_page_for_files_of_its_machine(page_url: str) -> None:
    uploaded = httpx.post(
        f"{page_url}/gradio_api/upload", files={"files": ("coffee.jpg", _COFFEE.read_bytes())}
    ).json()[0]
    assert is_read(page_url, uploaded), "what was uploaded is"
    of_machine = str(ROOT / "docs" / "samples" / "motorcycle.jpg")
    assert not is_read(page_url, of_machine)
    assert httpx.get(f"{page_url}/gradio_api/file={of_machine}").status_code in (403, 404)


def is_read(page_url: str, path: str) -> bool:
    """Whether the page reads a file of its own machine, by Gradio's protocol."""
    (dependency, *_) = httpx.get(f"{page_url}/config").json()["dependencies"]
    asked = {
        "data": [{"path": path, "meta": {"_type": "gradio.FileData"}}, ""],
        "fn_index": dependency["id"],
        "session_hash": "somebody",
    }
    httpx.post(f"{page_url}/gradio_api/queue/join", json=asked).raise_for_status()
    told = f"{page_url}/gradio_api/queue/data?session_hash=somebody"
    with httpx.stream("GET", told, timeout=20) as events:
        for line in events.iter_lines():
            event = json.loads(line.removeprefix("data: ")) if line else {}
            if event.get("msg") == "process_completed":
                return bool(event["success"])
    raise AssertionError("no answer")
