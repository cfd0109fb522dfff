"""An archive of code, checked and unpacked on the volume."""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
import tempfile
from pathlib import Path, PurePosixPath

from sub_module.errors import DataError
from sub_module.settings import Settings


def archive_name(digest: str) -> str:
    """Where the archive of that digest lies, on the volume or in the store."""
    return f"code/{digest}.tar.gz"


def code_folder(digest: str) -> str:
    """Where on the volume it is unpacked."""
    return f"code/{digest[:12]}"


def fetch(volume: Path, digest: str, place: str) -> Path:
    """Unpack the code of that digest on the volume, unless it is there.

    Args:
        volume: Where it is mounted.
        digest: Of the archive, by SHA-256.
        place: `volume` or `store`: where the archive is.

    Returns:
        The code's directory.

    Raises:
        DataError: There is no such archive, or it is damaged.
        StoreError: The store cannot be read.
        OSError: The volume cannot be written.
    """
    folder = volume / code_folder(digest)
    if folder.is_dir():
        return folder
    if place == "volume":
        unpack(volume / archive_name(digest), digest, folder)
        return folder
    # A second that unpacked code need not wait for.
    from dataset_tools.store import open_store

    with tempfile.TemporaryDirectory() as temporary:
        archive = Path(temporary, "code.tar.gz")
        open_store(Settings(home=volume)).get(archive_name(digest), archive)
        unpack(archive, digest, folder)
    return folder


def unpack(archive: Path, digest: str, folder: Path) -> None:
    """Unpack; `folder` appears whole, and another step may make the same at the same time.

    Raises:
        DataError: There is no such archive, or it is damaged.
        OSError: The folder cannot be written.
    """
    if not archive.is_file():
        raise DataError(f"{archive}: there is no such archive of code")
    with archive.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != digest:
            raise DataError(f"{archive}: damaged: its checksum is another")
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Processes of two pods may have the same number, but not the same name.
    partial = Path(
        tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".partial", dir=folder.parent)
    )
    try:
        with tarfile.open(archive) as tar:
            _extract(tar, partial)
        partial.chmod(0o755)
        os.rename(partial, folder)
    except tarfile.TarError as error:
        raise DataError(f"{archive}: cannot be unpacked: {error}") from error
    except OSError:
        if not folder.is_dir():
            raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _extract(tar: tarfile.TarFile, folder: Path) -> None:
    for name in map(PurePosixPath, tar.getnames()):
        if name.is_absolute() or ".." in name.parts:
            raise tarfile.TarError(f"{name} leads out of it")
    if hasattr(tarfile, "data_filter"):
        tar.extractall(folder, filter="data")
    else:
        # Python before 3.11.4; the checksum said that the archive is the one meant.
        tar.extractall(folder)
