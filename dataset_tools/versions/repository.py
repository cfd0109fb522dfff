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
from sub_module.urls import shown_url, without_secrets

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
# In DVC's files, whatever YAML has around it.
_MD5 = re.compile(r"\b[0-9a-f]{32}(?:\.dir)?\b")


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
        # An empty repository has a branch in mind too; old servers do not say which.
        default = ["-c", f"init.defaultBranch={_BRANCH}"]
        clone = ["clone", "-q", "-o", "origin", "--no-checkout", "--", origin.url, str(folder)]
        self._checked(_git([*default, *clone], folder.parent))
        head = self._git("symbolic-ref", "-q", "--short", "HEAD").stdout.strip()
        is_born = self._has("HEAD")
        self._branch = head
        if not head or (not is_born and self._has(f"refs/remotes/origin/{_BRANCH}")):
            self._branch = _BRANCH
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
            # A tag without a moment is a bare name for a commit, whose message may be one of ours.
            if moment and (said := _SAID.search(body)):
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

    def names(self, kind: Kind) -> set[str]:
        """The version names that tags take, also those of tags that are none of ours."""
        pattern = f"refs/tags/{kind.prefix}*"
        listed = self._checked(self._git("for-each-ref", "--format=%(refname:lstrip=2)", pattern))
        return {tag.removeprefix(kind.prefix) for tag in listed.split()}

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

    @property
    def shown_url(self) -> str:
        """What it is a clone of, without a password."""
        return shown_url(self._origin.url)

    def read(self, file: str) -> str | None:
        """The text of a file on the branch; None: there is no such file."""
        show = self._git("show", f"refs/remotes/origin/{self._branch}:{file}")
        return None if show.returncode else show.stdout

    def named_md5s(self) -> set[str]:
        """Every checksum in a file of DVC's on any branch or tag; directories end with `.dir`.

        Raises:
            DataError: The repository cannot be read.
        """
        listed = self._git("for-each-ref", "--format=%(refname)", "refs/remotes", "refs/tags")
        if not (refs := self._checked(listed).split()):
            return set()
        grep = ["grep", "--no-color", "-a", "-h", "-E", "-e", "[0-9a-f]{32}"]
        found = self._git(*grep, *refs, "--", "*.dvc", "*dvc.lock")
        # 1: nothing found.
        if found.returncode > 1:
            self._checked(found)
        return set(_MD5.findall(found.stdout))

    def commit(self, files: Sequence[str], message: str) -> None:
        """Commit files of the work tree on top of what is there, and push that.

        Raises:
            RejectedError: As of `publish`.
            DataError: As of `publish`.
        """
        self._commit(files, message)
        self._push()

    def publish(self, files: Sequence[str], tag: str, message: str) -> str:
        """Commit files of the work tree on top of what is there, tag the commit and push both.

        Origin takes both or nothing. Gives the commit.

        Raises:
            RejectedError: Somebody else pushed first; `fetch`, look again and repeat.
            DataError: The repository cannot be reached or written to.
        """
        self._commit(files, message)
        self._checked(self._git("tag", "-f", "-a", "-m", message, tag))
        self._push(f"refs/tags/{tag}:refs/tags/{tag}")
        return self._checked(self._git("rev-parse", "HEAD")).strip()

    def _commit(self, files: Sequence[str], message: str) -> None:
        upstream = f"refs/remotes/origin/{self._branch}"
        is_there = self._has(upstream)
        self._checked(self._git("symbolic-ref", "HEAD", f"refs/heads/{self._branch}"))
        if is_there:
            # The work tree stays as it is, whatever the branch says.
            self._checked(self._git("reset", "-q", "--mixed", upstream))
        else:
            self._git("update-ref", "-d", f"refs/heads/{self._branch}")
        self._checked(self._git("add", "-f", "--", *files))
        commit = ["commit", "-q", "--allow-empty", "--no-verify", "-m", message]
        self._checked(self._git(*commit))

    def _push(self, *refs: str) -> None:
        head = f"HEAD:refs/heads/{self._branch}"
        push = self._git("push", "--porcelain", "--atomic", "origin", head, *refs)
        refused = [line.split("\t")[-1] for line in push.stdout.splitlines() if line[:1] == "!"]
        if push.returncode and refused:
            raise RejectedError(f"data set repository {shown_url(self._origin.url)}: {refused[0]}")
        self._checked(push)

    def _has(self, ref: str) -> bool:
        return self._git("rev-parse", "-q", "--verify", ref).returncode == 0

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
        raise DataError(f"data set repository {shown_url(origin)}: {_reason(done, origin)}")
    return done.stdout


def _reason(done: CompletedProcess[str], origin: str) -> str:
    """The line of git's complaints that says most."""
    lines = [line.strip() for line in without_secrets(done.stderr, origin).splitlines()]
    lines = [line for line in lines if line and not line.startswith("hint:")]
    for start in ("fatal: ", "error: "):
        for line in lines:
            if line.startswith(start):
                return line.removeprefix(start)
    return lines[-1] if lines else f"git ended with exit code {done.returncode}"
