"""DVC's remote in the store, object by object: what DVC's own commands do not do."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property

from dataset_tools.store.manifest import Content as StoreContent
from dataset_tools.store.manifest import in_parallel
from dataset_tools.store.place import Place, open_place, store_url
from dataset_tools.versions.dvc import REMOTE
from dataset_tools.versions.objects import OBJECTS, Cache, Content, object_name
from dataset_tools.versions.version import Version
from sub_module.errors import StoreError
from sub_module.files import write_bytes
from sub_module.settings import Settings

# Beside DVC's objects: one empty object for each data set repository that has bytes there.
_MARKS = "repositories/"
_SET = ".dir"


@dataclass(frozen=True)
class Freed:
    """What was deleted.

    Attributes:
        num_cached: Files of the cache.
        cached_bytes: Their bytes.
        num_stored: Objects of the store.
        stored_bytes: Their bytes.
    """

    num_cached: int
    cached_bytes: int
    num_stored: int
    stored_bytes: int


class Remote:
    """DVC's remote, and the cache of one home before it."""

    def __init__(self, settings: Settings, cache: Cache) -> None:
        """Nothing is asked of the store yet.

        Raises:
            StoreError: The store's URL cannot be used.
        """
        self.cache = cache
        self.url = f"{store_url(settings)}/{REMOTE}"
        self._settings = settings

    @cached_property
    def place(self) -> Place:
        """The remote's objects; their keys are DVC's names."""
        return open_place(self._settings, REMOTE)

    def read_listing(self, md5: str) -> bytes:
        """What DVC stored of a set's files.

        Raises:
            FileNotFoundError: Nothing.
            StoreError: The store cannot be read.
        """
        return self.place.read(object_name(md5, is_listing=True))

    def listing(self, version: Version) -> Content:
        """Which files a version has; fetched into the cache if need be.

        Raises:
            StoreError: It is neither in the cache nor, undamaged, in the store.
        """
        return self._listing(version.content_md5, version.tag)

    def _listing(self, md5: str, owner: str) -> Content:
        content = self.cache.listing(md5)
        if content is None:
            with suppress(FileNotFoundError):
                write_bytes(self.cache.path(md5, is_listing=True), self.read_listing(md5))
            content = self.cache.listing(md5)
        if content is None:
            raise StoreError(
                f"{self.url}: {object_name(md5, is_listing=True)} (the listing of {owner}) "
                "is missing or damaged; add the same files again as this version to mend it"
            )
        return content

    def holds_listing(self, content: Content) -> bool:
        """Whether DVC has stored what it keeps of a set, which it does last.

        Raises:
            StoreError: The store cannot be read.
        """
        try:
            self.read_listing(content.md5)
        except FileNotFoundError:
            return False
        return True

    def mend(self, content: Content) -> None:
        """Send those files of a set that the store lacks or has damaged.

        `dvc push` would not: where it finds a set's listing in a store, it takes the files for
        granted.

        Raises:
            StoreError: The store cannot be used.
        """
        self.cache.keep_listing(content)
        place = self.place
        found = place.found(OBJECTS)

        def send(item: tuple[str, bool]) -> None:
            md5, is_listing = item
            name, path = object_name(md5, is_listing), self.cache.path(md5, is_listing)
            held = StoreContent(path.stat().st_size, md5)
            if name not in found or not place.is_same(found[name], held):
                place.upload(path, name, held, lambda num_bytes: None)

        in_parallel(send, [(md5, False) for md5 in set(content.files.values())], place.num_threads)
        # Last, as everywhere: who finds it trusts that the files are there.
        send((content.md5, True))

    def mark(self, repository: str) -> None:
        """Say in the store that bytes of this data set repository lie there.

        Not where bytes lie already and nobody has said whose they are.

        Args:
            repository: Its identity.

        Raises:
            StoreError: The store cannot be used.
        """
        name, marks = f"{_MARKS}{repository}", self.place.found(_MARKS)
        if name not in marks and (marks or not self.place.found(OBJECTS)):
            self.place.write(name, b"")

    def check_mark(self, repository: str | None) -> None:
        """Make sure that the store has bytes of this data set repository and of no other.

        Raises:
            StoreError: It has others, or nobody knows, or the store cannot be read.
        """
        marks = set(self.place.found(_MARKS))
        if others := sorted(marks - {f"{_MARKS}{repository}"}):
            raise StoreError(
                f"{self.url}: has bytes of another data set repository ({others[0]}); "
                "nothing is deleted from a store that several share"
            )
        if not marks:
            raise StoreError(
                f"{self.url}: nothing says whose bytes it has, so nothing is deleted; if all are "
                f"of this data set repository, write an empty object {_MARKS}"
                f"{repository or 'ID, as in its plateflow.json after the next add'}"
            )

    def collect_garbage(self, needed_md5s: Mapping[str, str], store: bool) -> Freed:
        """Delete what nobody needs; nobody may add meanwhile.

        `dvc gc` without questions would delete the files of a version whose listing is lost.

        Args:
            needed_md5s: Who needs it, for messages, by checksum; those of sets end with `.dir`.
            store: Delete from the store too, not only from the cache.

        Raises:
            StoreError: The store cannot be used, or the listing of a set is missing: nothing is
                deleted then.
        """
        needed = set()
        for md5, owner in needed_md5s.items():
            needed.add(object_name(md5))
            if md5.endswith(_SET):
                content = self._listing(md5.removesuffix(_SET), owner)
                needed.update(map(object_name, content.files.values()))
        cached, stored = _without(needed, dict(self.cache.objects())), {}
        for name in cached:
            (self.cache.root / name).unlink(missing_ok=True)
        if store:
            found = self.place.found(OBJECTS)
            stored = _without(needed, {name: int(info["size"]) for name, info in found.items()})
            # Listings first: where DVC finds one in the store, it takes for granted that the files
            # in it are there too, and does not send them.
            for name in sorted(stored, key=lambda name: not name.endswith(".dir")):
                self.place.delete(name)
        return Freed(len(cached), sum(cached.values()), len(stored), sum(stored.values()))


def _without(needed: set[str], sizes: dict[str, int]) -> dict[str, int]:
    return {name: size for name, size in sizes.items() if name not in needed}
