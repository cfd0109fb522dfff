"""From a version to a user's directory, every file checked on the way."""

from __future__ import annotations

import shutil
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dataset_tools.versions.dvc import Dvc
from dataset_tools.versions.objects import Content, each_of, object_name
from dataset_tools.versions.remote import Remote
from dataset_tools.versions.version import Version
from sub_module.errors import DataError, StoreError
from sub_module.files import appearing, is_disk_full
from sub_module.progress import Progress

# What a file takes beside its bytes, at worst.
_BLOCK_BYTES = 4096


@dataclass(frozen=True)
class Pull:
    """One version on its way into a directory.

    Attributes:
        version: Which.
        content: Its files.
        out: Does not exist yet, or is an empty directory.
        editable: As of `DataSets.pull`.
        remote: Where the bytes come from, through its cache.
        dvc: In a clone that has the version's `.dvc` file.
        progress: Told of each stage.
    """

    version: Version
    content: Content
    out: Path
    editable: bool
    remote: Remote
    dvc: Dvc
    progress: Progress

    def run(self) -> None:
        """Make `out` appear whole.

        Raises:
            DataError: There is no room.
            StoreError: The store cannot be read, or files in it are missing or damaged.
        """
        self._check_room()
        try:
            with appearing(self.out) as partial:
                self._fill(partial)
        except (OSError, StoreError) as error:
            # A disk that filled up meanwhile; DVC has several words for it.
            self._check_room()
            if is_disk_full(error):
                raise DataError(f"{self.out}: the disk is full, so nothing is there now") from error
            raise

    def _fill(self, target: Path) -> None:
        files = self.content.files
        for folder in {(target / name).parent for name in files}:
            folder.mkdir(parents=True, exist_ok=True)

        def hand_out(name: str) -> bool:
            return self.remote.cache.hand_out(files[name], target / name, self.editable)

        todo: Collection[str] = files
        # What is damaged in the cache is removed on the way out, and fetched the second time.
        for _ in range(2):
            if self._lacking(todo):
                self._fetch(todo)
            are_there = each_of(todo, hand_out, self.progress, "checking")
            todo = [name for name, is_there in zip(todo, are_there, strict=True) if not is_there]
            if not todo:
                return
        raise StoreError(
            f"{self.remote.url}: damaged: {self._some(todo)}; "
            "add the same files again as this version to mend it"
        )

    def _fetch(self, names: Collection[str]) -> None:
        """Fetch into the cache what it lacks."""
        self.progress(0, len(names), f"dvc fetch {self.version.tag}")
        # A store that refuses says so here, at once and in plain words.
        with suppress(FileNotFoundError):
            self.remote.read_listing(self.content.md5)
        reason = self.dvc.fetch(self.version.pointer)
        if lacking := self._lacking(names):
            raise StoreError(
                f"{self.remote.url}: {self._some(lacking)} cannot be fetched: "
                f"{reason or 'not there'}; if it is lost, add the same files again as this "
                "version to mend it"
            )

    def _lacking(self, names: Collection[str]) -> list[str]:
        cache = self.remote.cache
        return [name for name in names if not cache.path(self.content.files[name]).exists()]

    def _check_room(self) -> None:
        """Refuse before anything is fetched, rather than when the disk is full."""
        version, root = self.version, self.remote.cache.root
        cache, target = _existing(root), _existing(self.out.absolute())
        present = missing = 0
        for md5 in set(self.content.files.values()):
            try:
                present += self.remote.cache.path(md5).stat().st_size
            except FileNotFoundError:
                missing += 1
        needed: dict[int, int] = {cache.stat().st_dev: 0, target.stat().st_dev: 0}
        if missing:
            fetched = max(0, version.size_bytes - present) + missing * _BLOCK_BYTES
            needed[cache.stat().st_dev] += fetched
        if self.editable or len(needed) > 1:
            needed[target.stat().st_dev] += version.size_bytes + version.num_files * _BLOCK_BYTES
        for folder in (target, cache):
            num_bytes, free = needed[folder.stat().st_dev], shutil.disk_usage(folder).free
            if num_bytes > free:
                raise DataError(
                    f"{self.out}: no room for {version.tag}: it needs {num_bytes / 1e6:.1f} MB on "
                    f"the disk of {folder}, which has {free / 1e6:.1f} MB left"
                )

    def _some(self, names: Collection[str]) -> str:
        name = min(names)
        others = f" and {len(names) - 1} more files" if len(names) > 1 else ""
        return f"{object_name(self.content.files[name])} ({name}{others}) of {self.version.tag}"


def _existing(path: Path) -> Path:
    """The path, or the nearest directory above it that there is."""
    while not path.exists():
        path = path.parent
    return path
