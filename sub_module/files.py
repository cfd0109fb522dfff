"""Files that appear whole or not at all, and what a directory holds."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sub_module.errors import DataError

# How files are named that are not whole yet, or not any more; here and by the training.
_LEFTOVER = re.compile(r"\..+\.(partial|deleted)-\d+|.+\.partial")


def write_bytes(path: Path, content: bytes) -> None:
    """Replace the file at once; a reader sees the old content or the new one, never a part.

    Raises:
        OSError: It cannot be written; the old file stays as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, partial = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".partial", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        # mkstemp makes files that nobody else may read.
        os.chmod(partial, 0o644)
        os.replace(partial, path)
    except BaseException:
        os.unlink(partial)
        raise


@contextmanager
def appearing(directory: Path) -> Iterator[Path]:
    """A directory that appears whole: yields the partial one to fill; on failure it is removed.

    Raises:
        OSError: `directory` holds something already, or cannot be written.
    """
    # So that "." has a name too.
    directory = directory.resolve()
    directory.parent.mkdir(parents=True, exist_ok=True)
    partial = directory.with_name(f".{directory.name}.partial-{os.getpid()}")
    # A killed process may have had the same number.
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    try:
        yield partial
        # Onto an empty directory too; one that holds something stays as it is.
        os.rename(partial, directory)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def point(link: Path, target: str) -> None:
    """Make or change a symbolic link at once; `target` is relative to the link's directory."""
    link.parent.mkdir(parents=True, exist_ok=True)
    partial = link.with_name(f".{link.name}.partial-{os.getpid()}")
    partial.unlink(missing_ok=True)
    partial.symlink_to(target)
    os.replace(partial, link)


def remove(directory: Path) -> None:
    """Delete a directory that from the first moment nobody finds; nothing there is no mistake."""
    doomed = directory.with_name(f".{directory.name}.deleted-{os.getpid()}")
    shutil.rmtree(doomed, ignore_errors=True)
    # A half-deleted one would look like a whole one that lost something.
    with suppress(FileNotFoundError):
        os.rename(directory, doomed)
        shutil.rmtree(doomed)


def sweep(directory: Path) -> None:
    """Delete what killed processes left half-written or half-deleted anywhere below a directory.

    Nobody else may write there at the time. What cannot be deleted stays.
    """
    for folder, folders, names in os.walk(directory):
        for name in filter(_LEFTOVER.fullmatch, [*folders, *names]):
            path = Path(folder, name)
            if name in folders and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                with suppress(OSError):
                    path.unlink()
        folders[:] = [name for name in folders if not _LEFTOVER.fullmatch(name)]


def write_text(path: Path, text: str) -> None:
    """`write_bytes` of UTF-8 text."""
    write_bytes(path, text.encode())


def write_json(path: Path, data: Any) -> None:
    """`write_text` of indented JSON."""
    write_text(path, json.dumps(data, indent=2) + "\n")


def read_json(path: Path) -> Any:
    """What `write_json` wrote; None when there is no such file.

    Raises:
        DataError: It is no JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise DataError(f"{path}: damaged, not JSON: {error}") from error


def listing_hash(directory: Path) -> str:
    """A hash over every file's name, size and time below a directory: it tells of any change.

    Hidden files and directories do not count.
    """
    lines = []
    for folder, folders, names in os.walk(directory):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            if name.startswith("."):
                continue
            path = Path(folder, name)
            try:
                status = path.stat()
            except OSError:
                # A link to nothing, or to itself.
                status = path.lstat()
            lines.append(f"{path.relative_to(directory)} {status.st_size} {status.st_mtime_ns}")
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()[:12]


def tree_hash(directory: Path, pattern: str = "*") -> str:
    """A hash over name and content of every file below a directory that fits the pattern."""
    digest = hashlib.sha256()
    for file in sorted(path for path in directory.rglob(pattern) if path.is_file()):
        digest.update(f"{file.relative_to(directory)} {file.stat().st_size}\n".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def reason_of(error: OSError) -> str:
    """One line: the file, where it is known, and what is wrong with it."""
    reason = error.strerror or str(error) or type(error).__name__
    return f"{error.filename}: {reason}" if error.filename else reason


def is_disk_full(error: BaseException) -> bool:
    """Whether a write failed because there is no room left, on the disk or in the user's quota."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
