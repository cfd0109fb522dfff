"""Serves the page until it is told to end."""

from __future__ import annotations

import socket
from collections.abc import Callable
from types import FrameType

from serving.client import ClientSettings
from serving.demo.settings import DemoSettings
from serving.listening import address_of, listen
from sub_module.plates import PlateStandard


def serve_page(
    settings: DemoSettings,
    client: ClientSettings,
    standard: PlateStandard,
    say: Callable[[str], None],
) -> None:
    """Serve the page until SIGINT or SIGTERM.

    Args:
        settings: Where it listens, and how much it takes.
        client: The model server that reads.
        standard: What plates look like that it reads.
        say: Gets the page's address once it can be opened.

    Raises:
        ConfigError: The port is taken, or the host is none of this machine.
    """
    listening = listen(settings.host, settings.port, "port")
    # Gradio takes seconds to import, and there is nothing to wait for without a port.
    import gradio as gr
    import uvicorn
    from fastapi import FastAPI

    from serving.demo.answer import Demo
    from serving.demo.page import CSS_FILE, THEME, build_page

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            say(f"demo page at http://{address_of(listening)} (Ctrl-C ends it)")

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            # uvicorn would raise the signal again once it has ended.
            self.should_exit = True

    page = build_page(Demo(settings, client, standard))
    app = gr.mount_gradio_app(
        FastAPI(docs_url=None, redoc_url=None, openapi_url=None),
        page,
        path="/",
        css_paths=CSS_FILE,
        theme=THEME,
        footer_links=[],
        max_file_size=int(settings.upload_megabytes * 1e6),
        ssr_mode=False,
    )
    # Gradio refuses paths of files that nobody uploaded only on a page that was launched, which
    # mounting it does not say of it.
    page.has_launched = True
    # Open pages hold a connection for events; the end does not wait for them.
    config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=2)
    with listening:
        Server(config).run(sockets=[listening])
