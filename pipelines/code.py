"""Code on the volume: the work tree packed, and put where a cluster's steps find it.

The archive is `code/<digest>.tar.gz`, on the volume or in the store; the step `fetch_code` unpacks
it to `code/<digest>` on the volume, which stands first on the other steps' PYTHONPATH.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from components.commit import commit_of
from components.fetch_code.unpack import archive_name
from pipelines.by_reference import NO_PLACE, place_in_reach
from sub_module.errors import RunError
from sub_module.files import reason_of, write_bytes
from sub_module.settings import Settings

_ROOT = Path(__file__).resolve().parents[1]
_MAX_NAMED = 3


@dataclass(frozen=True)
class Archive:
    """A packed work tree.

    Attributes:
        content: A tar archive, compressed by gzip; the same files give the same bytes.
        commit: As `components.commit` says it.
    """

    content: bytes
    commit: str

    @property
    def digest(self) -> str:
        """Of the content, by SHA-256."""
        return hashlib.sha256(self.content).hexdigest()


@dataclass(frozen=True)
class Code:
    """Code that the steps of a version run.

    Attributes:
        digest: Of its archive.
        place: Where the archive is.
        commit: As `components.commit` says it.
    """

    digest: str
    place: Literal["volume", "store"]
    commit: str


def deliver_code(settings: Settings, max_megabytes: float) -> Code:
    """Pack the code that runs here, and put it where a cluster's steps find it.

    Args:
        settings: The volume, where its directory is mounted here, or the store.
        max_megabytes: A larger archive is refused; `cluster.max_code_megabytes` of the config.

    Raises:
        RunError: It cannot be packed, or there is no place for it.
        StoreError: The store cannot be written.
    """
    # Before anything is packed.
    place = place_in_reach(settings)
    if place is None:
        raise RunError(f"--code volume: the cluster's steps cannot reach this machine; {NO_PLACE}")
    archive = pack(_ROOT, max_megabytes)
    return deliver(archive, place, settings)


def pack(root: Path, max_megabytes: float) -> Archive:
    """What an image gets of a work tree, as it is: changed, and with new files.

    Raises:
        RunError: It is no clone of the repository, there is no git, or it is too large.
    """
    files = _files(root)
    buffer = io.BytesIO()
    # Without times, so that the same files are the same archive.
    with (
        gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0) as compressed,
        tarfile.open(fileobj=compressed, mode="w") as tar,
    ):
        for file in files:
            _add(tar, root, file)
    content = buffer.getvalue()
    if len(content) > max_megabytes * 1e6:
        sizes = sorted(((root / file).lstat().st_size, file) for file in files)[::-1]
        largest = ", ".join(f"{file} ({size / 1e6:.1f} MB)" for size, file in sizes[:_MAX_NAMED])
        raise RunError(
            f"--code volume: {root} makes an archive of {len(content) / 1e6:.1f} MB, above "
            f"cluster.max_code_megabytes {max_megabytes:g}; the largest files are {largest}; let "
            ".gitignore name what is no code"
        )
    return Archive(content, commit_of(root))


def deliver(archive: Archive, place: Literal["volume", "store"], settings: Settings) -> Code:
    """Put an archive on the volume or into the store, unless it is there.

    Raises:
        RunError: The volume cannot be written.
        StoreError: The store cannot be written.
    """
    name = archive_name(archive.digest)
    if place == "volume":
        assert settings.volume is not None
        file = settings.volume / name
        try:
            if not file.is_file():
                write_bytes(file, archive.content)
        except OSError as error:
            raise RunError(f"--code volume: {reason_of(error)}") from error
    else:
        from dataset_tools.store import open_store

        with tempfile.NamedTemporaryFile() as temporary:
            temporary.write(archive.content)
            temporary.flush()
            open_store(settings).put(Path(temporary.name), name)
    return Code(archive.digest, place, archive.commit)


def _files(root: Path) -> list[str]:
    """Paths relative to the work tree, in order; deleted ones and other repositories left out."""
    allowed = root / ".dockerignore"
    if not (root / ".git").exists() or not allowed.is_file():
        raise RunError(
            f"--code volume: {root} is no git work tree of Plateflow; run it from a clone of its "
            "repository, or use --code image"
        )
    # Beside the code may lie what must not leave this machine, such as a file of secrets.
    lines = allowed.read_text(encoding="utf-8").splitlines()
    parts = [line.removeprefix("!") for line in lines if line.startswith("!")]
    command = ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others"]
    try:
        listed = subprocess.run(
            [*command, "--exclude-standard", "--", *parts],
            capture_output=True,
            text=True,
            check=True,
        )
    except FileNotFoundError as error:
        raise RunError("--code volume: git is not installed") from error
    except subprocess.CalledProcessError as error:
        said = str(error.stderr).strip().splitlines() or [f"exit code {error.returncode}"]
        raise RunError(f"--code volume: git: {said[0]}") from error
    names = {name for name in listed.stdout.split("\0") if name}
    return sorted(name for name in names if (root / name).is_symlink() or (root / name).is_file())


def _add(tar: tarfile.TarFile, root: Path, name: str) -> None:
    path = root / name
    try:
        if path.is_symlink() and not path.resolve().is_relative_to(root.resolve()):
            raise RunError(f"--code volume: {path}: leads out of the work tree")
        member = tar.gettarinfo(path, name)
        member.mtime = member.uid = member.gid = 0
        member.uname = member.gname = ""
        member.mode = 0o755 if member.mode & 0o100 else 0o644
        if member.isreg():
            with path.open("rb") as file:
                tar.addfile(member, file)
        else:
            tar.addfile(member)
    except OSError as error:
        raise RunError(f"--code volume: {reason_of(error)}") from error
