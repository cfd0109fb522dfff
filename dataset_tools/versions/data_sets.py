"""The versions of data sets: add, pull, list, find."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from dataset_tools.store import open_store
from dataset_tools.versions.drafts import Draft, is_noted
from dataset_tools.versions.dvc import open_dvc
from dataset_tools.versions.identity import begin, check_store, identity
from dataset_tools.versions.listing import (
    ListedVersion,
    find_version,
    listed,
    noted_tag,
)
from dataset_tools.versions.publish import check_free, fill_in, find_same, publish
from dataset_tools.versions.pull import Pull
from dataset_tools.versions.remote import Freed, Remote
from dataset_tools.versions.repository import Clone, open_origin
from dataset_tools.versions.stage import stage_annotations, stage_training
from dataset_tools.versions.version import Kind, Published, Version, check_name, pointer
from dataset_tools.versions.work import Workshop
from sub_module.errors import DataError, StoreError
from sub_module.files import is_disk_full, reason_of
from sub_module.plates.standard import PlateStandard
from sub_module.progress import Progress, silent
from sub_module.settings import Settings

if TYPE_CHECKING:
    from dataset_tools.catalog import Catalog, SetDiff


class DataSets:
    """Versions of annotation sets and training sets.

    A version is an annotated tag in a git repository, with DVC's file for the set; its bytes are
    in the store, and what is in it, in the catalog. Any number of processes and machines may work
    on the same repository. Every operation works in a folder of its own and can be killed at any
    point: the same call again finishes the job.
    """

    def __init__(self, settings: Settings) -> None:
        """Versions as the settings say; nothing is made or asked yet."""
        self._settings = settings
        self._workshop = Workshop(settings.home.resolve() / "versions")

    def add(
        self,
        directory: Path,
        category: str,
        version: str | None,
        standard: PlateStandard,
        skip_rejected: bool = False,
        progress: Progress = silent,
        allow_unreviewed: bool = False,
    ) -> Published:
        """Make a version of an annotation set.

        Args:
            directory: Images with labelme JSON beside them; it is only read.
            category: What the set is of, such as `board_dataset`.
            version: Its name, such as `v3`; None: the set with the same bytes if it is there,
                else the next of v1, v2, ... that is free.
            standard: What labels and plates must fit.
            skip_rejected: Leave out what cannot be used, rather than refuse the set.
            progress: Told of each stage.
            allow_unreviewed: Take labels too that no person has gone through.

        Returns:
            The version; one that is there already with the same bytes is no mistake.

        Raises:
            DataError: The set cannot be used, the version is there with other bytes, or the
                repository cannot be reached.
            StoreError: The store cannot be written to.
            CatalogError: The database cannot be reached or fails.
        """
        check_name("category", category)
        with self._at_work() as (work, clone):
            catalog = self._check_servers(clone, Kind.ANNOTATIONS, version)
            draft = stage_annotations(
                directory,
                clone.folder / Kind.ANNOTATIONS / category,
                self._workshop.cache,
                category,
                standard,
                skip_rejected,
                allow_unreviewed,
                progress,
            )
            published = self._publish(work, clone, catalog, draft, version, progress)
            return replace(published, left_out=draft.left_out)

    def add_training(
        self,
        directory: Path,
        category: str,
        version: str | None,
        annotation_tag: str,
        standard: PlateStandard,
        split: Mapping[str, float],
        progress: Progress = silent,
    ) -> Published:
        """Make a version of a training set.

        Args:
            directory: `train.json`, `val.json` and `test.json` (COCO) and their images, as
                recorded; it is only read.
            category: What the set is of.
            version: As of `add`.
            annotation_tag: The version of the annotation set that it was recorded from.
            standard: The plate standard.
            split: The shares of train, val and test.
            progress: Told of each stage.

        Returns:
            As `add`.

        Raises:
            DataError: As `add`, or there is no such annotation set.
            StoreError: As `add`.
            CatalogError: As `add`, or the catalog lacks the annotation set, or has another set
                under its tag.
        """
        check_name("category", category)
        with self._at_work() as (work, clone):
            catalog = self._check_servers(clone, Kind.TRAINING, version)
            source = find_version(clone.versions(), annotation_tag)
            is_noted(catalog, source.kind, source.tag, source.content_md5)
            draft = stage_training(
                directory,
                clone.folder / Kind.TRAINING / category,
                self._workshop.cache,
                category,
                source.tag,
                self._remote().listing(source).files,
                standard,
                split,
                progress,
            )
            return self._publish(work, clone, catalog, draft, version, progress)

    def pull(self, tag: str, out: Path, editable: bool = True, progress: Progress = silent) -> None:
        """Fetch a version; it appears whole, every file's checksum compared.

        Args:
            tag: `ann-v3`, or as of `find`.
            out: Does not exist yet, or is an empty directory.
            editable: Files of its own; False: read-only, and where it can be, the same files as
                in the cache, which takes no room.
            progress: Told of each stage.

        Raises:
            DataError: There is no such version, `out` is taken, or there is no room for it.
            StoreError: The store cannot be read, or files in it are missing or damaged.
        """
        with self._at_work() as (work, clone):
            version = find_version(clone.versions(), tag)
            if out.exists() and (not out.is_dir() or any(out.iterdir())):
                raise DataError(f"{out}: already exists and is not empty")
            remote = self._remote()
            content = remote.listing(version)
            clone.write_pointer(version)
            with open_dvc(self._settings, clone.folder, work, self._workshop.cache.root) as dvc:
                Pull(version, content, out, editable, remote, dvc, progress).run()

    def versions(self) -> list[Version]:
        """All versions of both kinds, oldest first.

        Raises:
            DataError: The repository cannot be reached.
        """
        with self._at_work() as (_, clone):
            return clone.versions()

    def find(self, name: str) -> Version:
        """The version of a tag (`ann-v3`, `train-v3`) or of a name (`v3`).

        A name means the annotation set, or where there is none, the training set.

        Raises:
            DataError: There is none; the message names what there is.
        """
        return find_version(self.versions(), name)

    def listed(self) -> list[ListedVersion]:
        """All versions, oldest first, with what the catalog knows of each.

        Raises:
            DataError: The repository cannot be reached.
            CatalogError: The database cannot be reached or fails.
        """
        return listed(self.versions(), self._catalog())

    def diff(self, old: str, new: str) -> tuple[str, str, SetDiff]:
        """How two versions of an annotation set differ, by the catalog; with their tags.

        Args:
            old: `ann-v2`, or `v2`.
            new: Likewise.

        Raises:
            DataError: There is no such version, or it is a training set.
            CatalogError: The database cannot be reached, lacks a version, or has another set under
                its tag.
        """
        catalog, versions = self._catalog(), self.versions()
        old_tag, new_tag = (noted_tag(catalog, versions, name) for name in (old, new))
        return old_tag, new_tag, catalog.diff(old_tag, new_tag)

    def gc(self, store: bool) -> Freed:
        """Delete bytes that no version needs any more from the cache.

        Args:
            store: From the store too, which must serve no other data set repository; no other
                machine may be adding meanwhile.

        What files of DVC's on any branch or tag name is needed too: others may work with plain git
        and DVC.

        Raises:
            DataError: Another command is at work in this home, or for the store: the repository has
                no version yet.
            StoreError: The store cannot be used, serves another repository, or lacks what says
                which bytes are needed.
        """
        with _plain_errors(), self._workshop.alone() as work:
            clone = Clone(open_origin(self._settings, work), work / "repository")
            clone.fetch()
            versions, remote = clone.versions(), self._remote()
            if store and not versions:
                raise DataError(
                    f"data set repository {clone.shown_url}: has no version yet, so nothing says "
                    f"what in {remote.url} is needed; is PLATEFLOW_DATASETS set?"
                )
            if store:
                remote.check_mark(identity(clone))
            needed = dict.fromkeys(clone.named_md5s(), "a file of DVC's in the repository")
            needed |= {f"{version.content_md5}.dir": version.tag for version in versions}
            return remote.collect_garbage(needed, store)

    def _remote(self) -> Remote:
        return Remote(self._settings, self._workshop.cache)

    def _catalog(self) -> Catalog:
        # SQLAlchemy takes more than a second to import.
        from dataset_tools.catalog import open_catalog

        return open_catalog(self._settings)

    def _check_servers(self, clone: Clone, kind: Kind, version: str | None) -> Catalog:
        """Fail before any work is done, rather than after."""
        if version is not None:
            check_name("version", version)
            check_free(clone, kind, version)
        check_store(clone, self._settings)
        catalog = self._catalog()
        open_store(self._settings).check()
        return catalog

    def _publish(
        self,
        work: Path,
        clone: Clone,
        catalog: Catalog,
        draft: Draft,
        name: str | None,
        progress: Progress,
    ) -> Published:
        if there := find_same(clone.versions(), draft, name):
            if name is not None:
                # Who asks for it by name may do so because the store has lost something; `dvc push`
                # does not look for the files of a set whose listing is there.
                progress(0, 1, "comparing with the store")
                self._remote().mend(draft.content)
            return fill_in(catalog, draft, there)
        with open_dvc(self._settings, clone.folder, work, self._workshop.cache.root) as dvc:
            progress(0, 3, "dvc add")
            dvc.add(f"{draft.kind}/{draft.category}")
            clone.check_pointer(draft.kind, draft.category, draft.content.md5)
            remote = self._remote()
            with self._workshop.publishing():
                remote.mark(begin(clone, self._settings))
            is_listed = remote.holds_listing(draft.content)
            progress(1, 3, f"dvc push to {remote.url}")
            dvc.push(pointer(draft.kind, draft.category), remote.url)
        if is_listed:
            # As above: DVC has not looked for the files.
            remote.mend(draft.content)
        elif not remote.holds_listing(draft.content):
            raise StoreError(f"{remote.url}: DVC says that it has written there, but it has not")
        progress(2, 3, "publishing")
        with self._workshop.publishing():
            published = publish(clone, catalog, self._settings, draft, name)
        progress(3, 3, published.tag)
        return published

    @contextmanager
    def _at_work(self) -> Iterator[tuple[Path, Clone]]:
        """A folder for one operation, and a clone in it."""
        with _plain_errors(), self._workshop.folder() as work:
            yield work, Clone(open_origin(self._settings, work), work / "repository")


@contextmanager
def _plain_errors() -> Iterator[None]:
    """What the file system refuses, as one line for the user."""
    try:
        yield
    except OSError as error:
        reason = reason_of(error)
        raise DataError(f"the disk is full: {reason}" if is_disk_full(error) else reason) from error
