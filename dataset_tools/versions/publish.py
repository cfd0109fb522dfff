"""The step from a staged set to a version: rows in the catalog, a tag in the repository.

The tag is the truth. Rows are inserted before it is pushed and committed after it, so a failure
leaves the old state, or the tag without rows; the same command, run again, fills those in.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from dataset_tools.catalog import Conflict
from dataset_tools.versions.drafts import Draft, noted_sets
from dataset_tools.versions.identity import moved_files
from dataset_tools.versions.repository import Clone, RejectedError
from dataset_tools.versions.version import Kind, Published, Version, next_name, pointer
from sub_module.errors import CatalogError, DataError
from sub_module.settings import Settings

if TYPE_CHECKING:
    from dataset_tools.catalog import Catalog

# Somebody else published in the meantime: look again, this many times, after growing pauses.
_ATTEMPTS = 12
_LONGEST_PAUSE_SECONDS = 2.0


def find_same(versions: Sequence[Version], draft: Draft, name: str | None) -> Version | None:
    """The version that the draft is already, by its bytes; None where there is none.

    Args:
        versions: All that there are.
        draft: What is to be added.
        name: The version that it is to become; None: any will do.

    Raises:
        DataError: A version of that name has other bytes, or is of another category.
    """
    of_kind = [version for version in versions if version.kind is draft.kind]
    if name is None:
        same = [
            version
            for version in of_kind
            if version.category == draft.category and version.content_md5 == draft.content.md5
        ]
        return same[-1] if same else None
    for version in of_kind:
        if version.version == name:
            if version.category != draft.category:
                raise DataError(
                    f"{version.tag} is there already, of the category {version.category}; "
                    "a version is never replaced: choose another name"
                )
            if version.content_md5 != draft.content.md5:
                raise DataError(
                    f"{version.tag} is there already, with other files; "
                    "a version is never replaced: choose another name"
                )
            return version
    return None


def check_free(clone: Clone, kind: Kind, name: str) -> None:
    """Make sure that the tag of a version is one of ours, or is not there yet.

    Raises:
        DataError: Somebody has made it with plain git.
    """
    ours = {version.version for version in clone.versions() if version.kind is kind}
    if name in clone.names(kind) - ours:
        raise DataError(
            f"data set repository {clone.shown_url}: has a tag {kind.prefix}{name} that is none of "
            "Plateflow's; choose another name"
        )


def fill_in(catalog: Catalog, draft: Draft, there: Version) -> Published:
    """Give a version that is there the rows that the catalog lacks.

    Raises:
        CatalogError: The database fails, or has another set under this tag.
    """
    if draft.needs_rows(catalog, there.version):
        try:
            with catalog.transaction() as session:
                draft.note(catalog, session, there.version)
        except Conflict:
            # Another process has just done it.
            if draft.needs_rows(catalog, there.version):
                raise
    return Published(there.version, there.tag, there.commit, there.content_md5, is_new=False)


def publish(
    clone: Clone, catalog: Catalog, settings: Settings, draft: Draft, name: str | None
) -> Published:
    """Make a version of a set whose bytes are in the store.

    Args:
        clone: Its work tree has DVC's file for the set.
        catalog: Gets the rows.
        settings: Where a home that has been moved has its store now.
        draft: The set.
        name: The version; None: the next one that is free.

    Raises:
        DataError: The version has come in the meantime with other bytes, or the repository cannot
            be reached or written to.
        CatalogError: The database fails; when only its commit did, the message says so.
    """
    rejected: Exception | None = None
    for attempt in range(_ATTEMPTS):
        time.sleep(min(_LONGEST_PAUSE_SECONDS, 0.05 * (2**attempt - 1)))
        clone.fetch()
        versions = clone.versions()
        if there := find_same(versions, draft, name):
            return fill_in(catalog, draft, there)
        version = name or _free_name(catalog, clone, draft)
        check_free(clone, draft.kind, version)
        try:
            return _publish_as(version, clone, catalog, settings, draft)
        except (RejectedError, Conflict) as error:
            rejected = error
        except CatalogError:
            # Its rows may be those of somebody who has published since; then the tag says so.
            clone.fetch()
            find_same(clone.versions(), draft, name)
            raise
    raise DataError(f"{draft.category}: others publish all the time; try again: {rejected}")


def _publish_as(
    version: str, clone: Clone, catalog: Catalog, settings: Settings, draft: Draft
) -> Published:
    tag, commit = draft.tag(version), ""
    needs_rows = draft.needs_rows(catalog, version)
    try:
        with catalog.transaction() as session:
            if needs_rows:
                draft.note(catalog, session, version)
            commit = clone.publish(_files(clone, settings, draft), tag, _message(draft, version))
    except CatalogError as error:
        if not commit:
            raise
        raise CatalogError(
            f"{tag} is published, but the catalog lacks it; the same command again fills it in: "
            f"{error}"
        ) from error
    return Published(version, tag, commit, draft.content.md5, is_new=True)


def _free_name(catalog: Catalog, clone: Clone, draft: Draft) -> str:
    # A catalog may know versions of another data set repository too.
    noted = {found.version for found in noted_sets(catalog, draft.kind).values()}
    return next_name(clone.names(draft.kind) | noted)


def _files(clone: Clone, settings: Settings, draft: Draft) -> list[str]:
    """What a commit holds."""
    # The sets themselves are DVC's.
    files = {f"{draft.kind}/.gitignore": "/*/\n", **moved_files(clone, settings)}
    clone.write(files)
    return [*files, pointer(draft.kind, draft.category)]


def _message(draft: Draft, version: str) -> str:
    # `Clone.versions` reads it.
    figures = "".join(f"{name}: {value}\n" for name, value in draft.figures.items())
    return (
        f"{draft.category} {version} ({draft.kind})\n\ncategory: {draft.category}\n{figures}"
        f"files: {len(draft.content.files)}\nbytes: {draft.size_bytes}\nmd5: {draft.content.md5}\n"
    )
