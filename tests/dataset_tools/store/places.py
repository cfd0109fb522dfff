"""A store of each kind, and a way past it to its bytes."""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

# Takes more than a second, which no test that measures time should see.
import dataset_tools.store.bucket  # noqa: F401
from dataset_tools.store import Store, open_store
from sub_module.settings import Settings
from tests.servers.gcs import Gcs

# Spaces, Korean, and what means something in URLs and shells.
ODD_NAMES = ["a b.txt", "번호판/차 1#2.txt", "100%25 &?.txt", "deep/er/est/x", "-r", "{x}*[1].txt"]


@dataclass
class Place:
    """A store, and what lies in it as the directory or the server has it."""

    store: Store
    settings: Settings
    gcs: Gcs | None

    def objects(self) -> dict[str, str]:
        """Of each object of the store, something that changes whenever it is written."""
        if self.gcs is None:
            root = Path(self.store.url.removeprefix("file://"))
            return {
                path.relative_to(root).as_posix(): f"{path.stat().st_ino} {path.stat().st_mtime_ns}"
                for path in root.rglob("*")
                if path.is_file() and not path.name.endswith(".partial")
            }
        return self.gcs.generations(self.gcs.bucket, "plateflow/")

    def overwrite(self, key: str, content: bytes) -> None:
        """Other bytes for an object, of which the store knows nothing."""
        if self.gcs is None:
            Path(self.store.url.removeprefix("file://"), key).write_bytes(content)
            return
        # Not uploadType=media, which the emulator does not take without a byte.
        body = b"\n".join([
            b"--limit", b"Content-Type: application/json", b"",
            json.dumps({"name": f"plateflow/{key}"}).encode(),
            b"--limit", b"Content-Type: application/octet-stream", b"", content, b"--limit--",
        ])  # fmt: skip
        path = f"/upload/storage/v1/b/{self.gcs.bucket}/o?uploadType=multipart"
        headers = {"Content-Type": "multipart/related; boundary=limit"}
        status, _, _ = self.gcs.forward("POST", path, body, headers)
        assert status == 200

    def remove(self, key: str) -> None:
        """Take an object away."""
        if self.gcs is None:
            os.unlink(Path(self.store.url.removeprefix("file://"), key))
            return
        name = quote(f"plateflow/{key}", safe="")
        status, _, _ = self.gcs.forward(
            "DELETE", f"/storage/v1/b/{self.gcs.bucket}/o/{name}", b"", {}
        )
        assert status == 200


def directory_place(tmp_path: Path) -> Place:
    settings = Settings(store=f"file://{tmp_path}/the store #1")
    return Place(open_store(settings), settings, None)


def bucket_place(gcs: Gcs) -> Place:
    settings = Settings(store=gcs.store)
    return Place(open_store(settings), settings, gcs)


def fill(directory: Path, num_files: int = 5, size: int = 1000, seed: int = 0) -> Path:
    """A directory of small files with random bytes; gives it back."""
    source = random.Random(seed)
    for number in range(num_files):
        write(directory / f"{number:02}.bin", source.randbytes(size))
    return directory


def write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def tree(directory: Path) -> dict[str, bytes]:
    """Every file below a directory, hidden ones too."""
    return {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file()
    }


@contextmanager
def no_more_than(seconds: float) -> Iterator[None]:
    """Fails when what it holds took longer."""
    begin = time.monotonic()
    yield
    took = time.monotonic() - begin
    assert took < seconds, f"{took:.1f} s"
