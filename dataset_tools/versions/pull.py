"""From a version to a user's directory, every file checked on the way."""

from __future__ import annotations

import shutil
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from dataset_tools.versions.dvc import open_dvc
from dataset_tools.versions.objects import Cache, Content, object_name
from dataset_tools.versions.remote import open_remote
from dataset_tools.versions.repository import Clone
from dataset_tools.versions.version import Version
from sub_module.errors import DataError, StoreError
from sub_module.files import appearing, is_disk_full, write_bytes
from sub_module.progress import Progress
from sub_module.settings import Settings

# Reading and hashing leave the interpreter free.
_NUM_THREADS = 4
# What a file takes beside its bytes, at worst.
_BLOCK_BYTES = 4096


class Puller:
    """Fetches into a cache, and out of it."""

    def __init__(self, settings: Settings, cache: Cache) -> None:
        """Fetch from the store of the settings into a cache."""
        self.cache = cache
        self.settings = settings

    def listing(self, version: Version) -> Content:
        """Which files a version has; fetched if need be.

        Raises:
            StoreError: It is neither in the cache nor, undamaged, in the store.
        """
        md5 = version.content_md5
        content = self.cache.listing(md5)
        if content is None:
            remote = open_remote(self.settings)
            name = object_name(md5, is_listing=True)
            with suppress(FileNotFoundError):
                write_bytes(self.cache.path(md5, is_listing=True), remote.read(name))
            content = self.cache.listing(md5)
            if content is None:
                raise StoreError(
                    f"{remote.url}: {name} (the listing of {version.tag}) is missing or damaged; "
                    "add the same files again as this version to mend it"
                )
        return content

    def pull(
        self,
        version: Version,
        out: Path,
        editable: bool,
        clone: Clone,
        work: Path,
        progress: Progress,
    ) -> None:
        """See `DataSets.pull`."""
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise DataError(f"{out}: already exists and is not empty")
        content = self.listing(version)
        self._check_room(version, content, out, editable)
        try:
            with appearing(out) as partial:
                self._fill(partial, version, content, editable, clone, work, progress)
        except (OSError, StoreError) as error:
            # A disk that filled up meanwhile; DVC has several words for it.
            self._check_room(version, content, out, editable)
            if is_disk_full(error):
                raise DataError(f"{out}: the disk is full, so nothing is there now") from error
            raise

    def _fill(
        self,
        target: Path,
        version: Version,
        content: Content,
        editable: bool,
        clone: Clone,
        work: Path,
        progress: Progress,
    ) -> None:
        for folder in {(target / name).parent for name in content.files}:
            folder.mkdir(parents=True, exist_ok=True)
        todo: Collection[str] = content.files
        # What is damaged in the cache is removed on the way out, and fetched the second time.
        for _ in range(2):
            if self._lacking(content, todo):
                progress(0, len(todo), f"dvc fetch {version.tag}")
                self._fetch(version, content, todo, clone, work)
            todo = self._hand_out(target, content, todo, editable, progress)
            if not todo:
                return
        raise StoreError(
            f"{open_remote(self.settings).url}: damaged: {_some(content, todo)} of {version.tag}; "
            "add the same files again as this version to mend it"
        )

    def _fetch(
        self, version: Version, content: Content, names: Collection[str], clone: Clone, work: Path
    ) -> None:
        """Fetch into the cache what it lacks."""
        remote = open_remote(self.settings)
        # A store that refuses says so here, at once and in plain words.
        with suppress(FileNotFoundError):
            remote.read(object_name(content.md5, is_listing=True))
        clone.write_pointer(version)
        with open_dvc(self.settings, clone.folder, work, self.cache.root) as dvc:
            reason = dvc.fetch(version.pointer)
        lacking = self._lacking(content, names)
        if lacking:
            raise StoreError(
                f"{remote.url}: {_some(content, lacking)} of {version.tag} cannot be fetched: "
                f"{reason or 'not there'}; if it is lost, add the same files again as this "
                "version to mend it"
            )

    def _lacking(self, content: Content, names: Collection[str]) -> list[str]:
        return [name for name in names if not self.cache.path(content.files[name]).exists()]

    def _hand_out(
        self,
        target: Path,
        content: Content,
        names: Collection[str],
        editable: bool,
        progress: Progress,
    ) -> list[str]:
        """Give files their places; gives back those that are missing or were damaged."""

        def hand_out(name: str) -> bool:
            return self.cache.hand_out(content.files[name], target / name, editable)

        missing = []
        with ThreadPoolExecutor(_NUM_THREADS) as pool:
            try:
                for done, (name, is_there) in enumerate(
                    zip(names, pool.map(hand_out, names), strict=True), start=1
                ):
                    if not is_there:
                        missing.append(name)
                    progress(done, len(names), "checking")
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
        return missing

    def _check_room(self, version: Version, content: Content, out: Path, editable: bool) -> None:
        """Refuse before anything is fetched, rather than when the disk is full."""
        cache, target = _existing(self.cache.root), _existing(out.absolute())
        present = missing = 0
        for md5 in set(content.files.values()):
            try:
                present += self.cache.path(md5).stat().st_size
            except FileNotFoundError:
                missing += 1
        needed: dict[int, int] = {cache.stat().st_dev: 0, target.stat().st_dev: 0}
        if missing:
            fetched = max(0, version.size_bytes - present) + missing * _BLOCK_BYTES
            needed[cache.stat().st_dev] += fetched
        if editable or len(needed) > 1:
            needed[target.stat().st_dev] += version.size_bytes + version.num_files * _BLOCK_BYTES
        for folder in (target, cache):
            num_bytes, free = needed[folder.stat().st_dev], shutil.disk_usage(folder).free
            if num_bytes > free:
                raise DataError(
                    f"{out}: no room for {version.tag}: it needs {_megabytes(num_bytes)} on the "
                    f"disk of {folder}, which has {_megabytes(free)} left"
                )


def _some(content: Content, names: Collection[str]) -> str:
    name = min(names)
    others = f" and {len(names) - 1} more files" if len(names) > 1 else ""
    return f"{object_name(content.files[name])} ({name}{others})"


def _existing(path: Path) -> Path:
    """The path, or the nearest directory above it that there is."""
    while not path.exists():
        path = path.parent
    return path


def _megabytes(num_bytes: int) -> str:
    return f"{num_bytes / 1e6:.1f} MB"
