"""The data set repository: a git repository whose tags are the versions, and clones of it."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from subprocess import CompletedProcess

from dataset_tools.versions.process import run_child
from dataset_tools.versions.version import Kind, Version, pointer
from sub_module.errors import DataError
from sub_module.settings import Settings

_BRANCH = "main"
# What a user's own settings of git must not change here: signatures that ask for a passphrase,
# hooks, line ends.
_FIXED = (
    *("-c", "commit.gpgsign=false", "-c", "tag.gpgsign=false", "-c", "core.autocrlf=false"),
    *("-c", "push.gpgSign=false", "-c", f"core.hooksPath={os.devnull}"),
    # A server that falls silent is given up; others wait meanwhile.
    *("-c", "http.lowSpeedLimit=1", "-c", "http.lowSpeedTime=60"),
)
_EVERYTHING = ("+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*")
# A lock of git's that is older than this is nobody's.
_LOCK_SECONDS = 5.0
# Commits need a name, and a machine that runs pipelines has none.
_NOBODY = {"user.name": "Plateflow", "user.email": "plateflow@localhost"}
_TAG_FIELDS = "%00".join(
    f"%({field})" for field in ("refname:short", "*objectname", "taggerdate:unix", "contents:body")
)
# What a tag's message says of its version, as `publish` writes it.
_SAID = re.compile(
    r"^category: (\S+)\n(?:.*\n)*files: (\d+)\nbytes: (\d+)\nmd5: ([0-9a-f]{32})$", re.MULTILINE
)


class RejectedError(Exception):
    """Somebody else pushed first, or the tag is there already; the message says which."""


@dataclass(frozen=True)
class Origin:
    """The data set repository.

    Attributes:
        url: What git clones.
        is_own: Whether it is the home's own, which nobody but Plateflow writes to.
    """

    url: str
    is_own: bool


def origin_url(settings: Settings) -> str:
    """What git clones: the repository of the settings, or the home's own."""
    if (url := settings.datasets) is None:
        return str(settings.home.resolve() / "datasets.git")
    # A directory may be given as the user sees it; git runs elsewhere.
    return os.path.abspath(url) if os.path.exists(url) else url


def open_origin(settings: Settings, work: Path) -> Origin:
    """The repository of the settings, or the home's own, which is made on first use.

    Args:
        settings: Which.
        work: An empty folder in the home; what is left in it does no harm.

    Raises:
        DataError: It cannot be made.
    """
    origin = Path(origin_url(settings))
    if settings.datasets is not None:
        return Origin(origin_url(settings), is_own=False)
    if not origin.exists():
        made = work / "datasets.git"
        _checked(_git(["init", "--bare", "-q", "-b", _BRANCH, str(made)], work), str(origin))
        try:
            os.rename(made, origin)
        except OSError:
            # Unless another process was first.
            if not origin.exists():
                raise
    return Origin(str(origin), is_own=True)


def shown_url(text: str) -> str:
    """A repository's URL, or what git says of it, without a password or token in it."""
    # Up to the last @ of the word: a password may hold one, or a slash.
    return re.sub(r"://[^\s'\"]*@", "://***@", text)


class Clone:
    """A clone of the data set repository that nobody else works in."""

    def __init__(self, origin: Origin, folder: Path) -> None:
        """Clone.

        Args:
            origin: Of what.
            folder: Does not exist yet; its parent does.

        Raises:
            DataError: The repository cannot be reached or read.
        """
        self.folder = folder
        self._origin = origin
        clone = ["clone", "-q", "-o", "origin", "--no-checkout", "--", origin.url, str(folder)]
        self._checked(_git(clone, folder.parent))
        head = self._git("symbolic-ref", "--short", "HEAD").stdout.strip()
        is_born = self._git("rev-parse", "-q", "--verify", "HEAD").returncode == 0
        self._branch = head if is_born else _BRANCH
        for key, value in _NOBODY.items():
            if self._git("config", key).returncode:
                self._checked(self._git("config", key, value))

    def fetch(self) -> None:
        """Learn of what others pushed in the meantime.

        Raises:
            DataError: The repository cannot be reached.
        """
        if self._origin.is_own:
            _break_locks(Path(self._origin.url))
        # With refs spelled out, a tag that origin has rejected is pruned here too.
        self._checked(self._git("fetch", "-q", "--prune", "origin", *_EVERYTHING))

    def versions(self) -> list[Version]:
        """All versions, oldest first; tags that are none of ours do not count."""
        wanted = [f"refs/tags/{kind.prefix}*" for kind in Kind]
        listed = self._checked(self._git("for-each-ref", f"--format={_TAG_FIELDS}%01", *wanted))
        versions = []
        for entry in listed.split("\x01\n")[:-1]:
            tag, commit, moment, body = entry.split("\0")
            kind = next(kind for kind in Kind if tag.startswith(kind.prefix))
            if said := _SAID.search(body):
                versions.append(
                    Version(
                        tag=tag,
                        kind=kind,
                        category=said[1],
                        version=tag.removeprefix(kind.prefix),
                        commit=commit,
                        created=datetime.fromtimestamp(int(moment), UTC),
                        content_md5=said[4],
                        size_bytes=int(said[3]),
                        num_files=int(said[2]),
                    )
                )
        return sorted(versions, key=lambda version: (version.created, version.tag))

    def write(self, files: dict[str, str]) -> None:
        """Write files into the work tree."""
        for name, text in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="\n")

    def write_pointer(self, version: Version) -> None:
        """Put a version's `.dvc` file into the work tree."""
        show = self._git("show", f"{version.commit}:{version.pointer}")
        self.write({version.pointer: self._checked(show)})

    def check_pointer(self, kind: Kind, category: str, content_md5: str) -> None:
        """Make sure that a `.dvc` file of the work tree is the one of these bytes.

        Raises:
            DataError: It is another; nobody but DVC has written into the work tree.
        """
        file = pointer(kind, category)
        if f"md5: {content_md5}.dir\n" not in (self.folder / file).read_text(encoding="utf-8"):
            raise DataError(f"{category}: DVC found other files than were staged ({file})")

    def holds(self, file: str) -> bool:
        """Whether the branch has a file."""
        return self._git("cat-file", "-e", f"origin/{self._branch}:{file}").returncode == 0

    def publish(self, files: Sequence[str], tag: str, message: str) -> str:
        """Commit files of the work tree on top of what is there, tag the commit and push both.

        Origin takes both or nothing. Gives the commit.

        Raises:
            RejectedError: Somebody else pushed first; `fetch`, look again and repeat.
            DataError: The repository cannot be reached or written to.
        """
        upstream = f"refs/remotes/origin/{self._branch}"
        is_there = self._git("rev-parse", "-q", "--verify", upstream).returncode == 0
        self._checked(self._git("symbolic-ref", "HEAD", f"refs/heads/{self._branch}"))
        if is_there:
            # The work tree stays as it is, whatever the branch says.
            self._checked(self._git("reset", "-q", "--mixed", upstream))
        else:
            self._git("update-ref", "-d", f"refs/heads/{self._branch}")
        self._checked(self._git("add", "-f", "--", *files))
        commit = ["commit", "-q", "--allow-empty", "--no-verify", "-m", message]
        self._checked(self._git(*commit))
        self._checked(self._git("tag", "-f", "-a", "-m", message, tag))
        self._push(tag)
        return self._checked(self._git("rev-parse", "HEAD")).strip()

    def _push(self, tag: str) -> None:
        refs = [f"HEAD:refs/heads/{self._branch}", f"refs/tags/{tag}:refs/tags/{tag}"]
        push = self._git("push", "--porcelain", "--atomic", "origin", *refs)
        refused = [line.split("\t")[-1] for line in push.stdout.splitlines() if line[:1] == "!"]
        if push.returncode and refused:
            raise RejectedError(f"data set repository {shown_url(self._origin.url)}: {refused[0]}")
        self._checked(push)

    def _git(self, *arguments: str) -> CompletedProcess[str]:
        return _git(arguments, self.folder)

    def _checked(self, done: CompletedProcess[str]) -> str:
        return _checked(done, self._origin.url)


def _break_locks(repository: Path) -> None:
    """Remove the locks of a git that was killed: it holds one for moments only."""
    for lock in (*repository.glob("*.lock"), *repository.glob("refs/**/*.lock")):
        with suppress(FileNotFoundError):
            if time.time() - lock.stat().st_mtime > _LOCK_SECONDS:
                lock.unlink()


def _git(arguments: Sequence[str], folder: Path) -> CompletedProcess[str]:
    try:
        return run_child(["git", *_FIXED, *arguments], folder, {"GIT_TERMINAL_PROMPT": "0"})
    except FileNotFoundError as error:
        raise DataError("git is not installed: no data set versions without it") from error


def _checked(done: CompletedProcess[str], origin: str) -> str:
    """What a command printed.

    Raises:
        DataError: It failed.
    """
    if done.returncode:
        raise DataError(f"data set repository {shown_url(origin)}: {_reason(done)}")
    return done.stdout


def _reason(done: CompletedProcess[str]) -> str:
    """The line of git's complaints that says most."""
    lines = [line.strip() for line in shown_url(done.stderr).splitlines()]
    lines = [line for line in lines if line and not line.startswith("hint:")]
    for start in ("fatal: ", "error: "):
        for line in lines:
            if line.startswith(start):
                return line.removeprefix(start)
    return lines[-1] if lines else f"git ended with exit code {done.returncode}"
