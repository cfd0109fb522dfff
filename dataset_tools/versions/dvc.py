"""DVC's command line, in a clone of the data set repository."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from configparser import ConfigParser
from configparser import Error as ParsingError
from contextlib import contextmanager
from pathlib import Path
from subprocess import CompletedProcess

from dataset_tools.store.google import credentials_file, dvc_remote, quiet_gcsfs
from dataset_tools.versions.process import run_child
from sub_module.errors import StoreError
from sub_module.settings import Settings

# DVC's directory in the store.
REMOTE = "dvc"
_PREAMBLE = re.compile(r"^(unexpected error|failed to transfer '[^']*') - ")
_LEASH = Path(__file__).with_name("leash.py")
# Where a repository names its store.
CONFIG = ".dvc/config"


def remote_url(settings: Settings) -> str:
    """DVC's remote in the store, as DVC spells it.

    Raises:
        StoreError: The store's URL cannot be used.
    """
    return dvc_remote(settings, REMOTE, None)["url"]


def committed_files(settings: Settings) -> dict[str, str]:
    """What a data set repository needs so that plain git and DVC can work with it.

    Where the store is and nothing more: how a machine reaches it, and who it is there, is its own
    affair.
    """
    store = {"url": remote_url(settings)}
    return {
        CONFIG: _sections({"core": {"remote": "store"}, 'remote "store"': store}),
        ".dvc/.gitignore": "/config.local\n/tmp\n/cache\n",
    }


def committed_url(config: str) -> str | None:
    """The URL of the default remote in the text of DVC's settings; None: it names none."""
    found = ConfigParser(interpolation=None, strict=False)
    try:
        found.read_string(config)
    except ParsingError:
        return None
    default = _unquoted(found.get("core", "remote", fallback=""))
    for section in (f"'remote \"{default}\"'", f'remote "{default}"'):
        if url := found.get(section, "url", fallback=None):
            return _unquoted(url)
    return None


class Dvc:
    """DVC in one clone, which works with a store and a cache of our choice."""

    def __init__(self, clone: Path, work: Path, cache: Path) -> None:
        """See `open_dvc`."""
        self._clone = clone
        self._work = work
        self._cache = cache

    def add(self, data: str) -> None:
        """Put a directory of the clone under DVC's control: makes its `.dvc` file.

        Raises:
            StoreError: DVC fails, or there is no room for it.
        """
        self._checked(self._run("add", data), "cannot be added")

    def push(self, pointer: str, url: str) -> None:
        """Send what a `.dvc` file names to the store, as far as it is not there.

        Raises:
            StoreError: The store refuses, fails, or is full.
        """
        self._checked(self._run("push", pointer), f"{url}: cannot be written")

    def fetch(self, pointer: str) -> str | None:
        """Fetch what a `.dvc` file names into the cache, as far as it is not there.

        Returns:
            What went wrong with some or all of it; None when DVC saw no fault. Only the cache
            tells whether everything is there, and in order.
        """
        done = self._run("fetch", pointer)
        return _reason(done) if done.returncode else None

    def _run(self, *arguments: str) -> CompletedProcess[str]:
        nowhere = str(self._work / "no-config")
        environment = {
            "DVC_NO_ANALYTICS": "1",
            # A user's own settings of DVC name other remotes and caches.
            "DVC_GLOBAL_CONFIG_DIR": nowhere,
            "DVC_SYSTEM_CONFIG_DIR": nowhere,
            # What DVC remembers of a remote can be wrong by now; here it begins with nothing.
            "DVC_SITE_CACHE_DIR": str(self._work / "dvc"),
        }
        # -P: nothing in the clone can pass for a module of Python's.
        command = [sys.executable, "-P", str(_LEASH), *arguments]
        return run_child(command, self._clone, environment)

    def _checked(self, done: CompletedProcess[str], what: str) -> None:
        if done.returncode:
            raise StoreError(f"{what}: {_reason(done)}")


@contextmanager
def open_dvc(settings: Settings, clone: Path, work: Path, cache: Path) -> Iterator[Dvc]:
    """DVC in a clone.

    Args:
        settings: The store and who we are there.
        clone: Of the data set repository.
        work: A folder for what only this operation needs; whoever holds it removes it.
        cache: DVC's cache.

    Raises:
        StoreError: The store's URL or the service account cannot be used.
    """
    quiet_gcsfs()
    with credentials_file(settings, work / "credentials") as credentials:
        core = {
            "remote": "store",
            "analytics": "false",
            "check_update": "false",
            # Git is our own part.
            "no_scm": "true",
        }
        sections = {
            "core": core,
            "cache": {"dir": str(cache), "type": "hardlink,copy"},
            **_remote(settings, credentials),
        }
        folder = clone / ".dvc"
        folder.mkdir(exist_ok=True)
        (folder / "config.local").write_text(_sections(sections), encoding="utf-8")
        yield Dvc(clone, work, cache)


def _remote(settings: Settings, credentials: Path | None) -> dict[str, dict[str, str]]:
    return {'remote "store"': dvc_remote(settings, REMOTE, credentials)}


def _sections(sections: dict[str, dict[str, str]]) -> str:
    lines = []
    for name, options in sections.items():
        lines.append(f"['{name}']" if " " in name else f"[{name}]")
        lines += [f"    {key} = {_quoted(value)}" for key, value in options.items()]
    return "\n".join(lines) + "\n"


def _quoted(value: str) -> str:
    # Bare, what comes after a # is dropped, and a comma makes a list of two.
    quote = next(quote for quote in ('"', "'", '"""') if quote not in value)
    return f"{quote}{value}{quote}"


def _unquoted(value: str) -> str:
    for quote in ('"""', '"', "'"):
        if len(value) >= 2 * len(quote) and value.startswith(quote) and value.endswith(quote):
            return value[len(quote) : -len(quote)]
    return value


def _reason(done: CompletedProcess[str]) -> str:
    """The line of DVC's complaints that says most."""
    errors = [
        line.removeprefix("ERROR: ").strip()
        for line in done.stderr.splitlines()
        if line.startswith("ERROR: ")
    ]
    said = errors[0] if errors else f"DVC ended with exit code {done.returncode}"
    return " ".join(_PREAMBLE.sub("", said).split())[:300]
