"""`dataset add`, `pull`, `list`, `diff` and `gc`: the versions of data sets."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from commands.options import ConfigOption, JsonOption, YesOption
from commands.terminal import bar, say, table
from sub_module.engine.config import load_pipeline_config
from sub_module.errors import ConfigError
from sub_module.plates import PlateStandard
from sub_module.settings import Settings

if TYPE_CHECKING:
    from dataset_tools.catalog import Changes
    from dataset_tools.versions import LeftOut

# Names that a person reads; JSON has them all.
_NAMES_SHOWN = 20
_LEFT_OUT_SHOWN = 5


def register(app: typer.Typer) -> None:
    """Make them commands of a group."""
    app.command("add")(add)
    app.command("pull")(pull)
    app.command("list")(list_versions)
    app.command("diff")(diff)
    app.command("gc")(gc)


def add(
    directory: Annotated[Path, typer.Argument(help="An annotation set.")],
    category: Annotated[
        str | None, typer.Option(help="What it is of; default: the config's dataset.category.")
    ] = None,
    version: Annotated[
        str | None,
        typer.Option(help="Its name; default: the next of v1, v2, ... unless it is there."),
    ] = None,
    skip_rejected: Annotated[
        bool, typer.Option("--skip-rejected", help="Leave out what cannot be used.")
    ] = False,
    allow_unreviewed: Annotated[
        bool,
        typer.Option("--allow-unreviewed", help="Take labels that no person has reviewed."),
    ] = False,
    config: ConfigOption = "plate_training",
) -> None:
    """Check an annotation set and make it a version that can be named, fetched and compared."""
    from dataset_tools.versions import DataSets

    loaded = load_pipeline_config(config, "dataset", "plates")
    category = category or loaded["dataset"].get("category")
    if category is None:
        raise ConfigError(f"config {config}: names no dataset.category; give --category")
    with bar("adding") as progress:
        published = DataSets(Settings()).add(
            directory,
            category,
            version,
            PlateStandard.from_config(loaded["plates"]),
            skip_rejected=skip_rejected,
            allow_unreviewed=allow_unreviewed,
            progress=progress,
        )
    _say_left_out(published.left_out)
    typer.echo(published.tag)
    if not published.is_new:
        say(f"{published.tag} is there already, with the same files")


def pull(
    version: Annotated[str, typer.Argument(help="Such as v3, ann-v3 or train-v3.")],
    out: Annotated[
        Path | None,
        typer.Argument(help="A directory that does not exist yet; default: the tag's name."),
    ] = None,
    read_only: Annotated[
        bool,
        typer.Option("--read-only", help="Share the cache's files, which takes no room."),
    ] = False,
) -> None:
    """Fetch a version; every file's checksum is compared."""
    from dataset_tools.versions import DataSets

    data_sets = DataSets(Settings())
    if out is None:
        version = data_sets.find(version).tag
        out = Path(version)
    with bar("pulling") as progress:
        data_sets.pull(version, out, editable=not read_only, progress=progress)
    typer.echo(str(out))


def list_versions(as_json: JsonOption = False) -> None:
    """List the versions of annotation sets and training sets, oldest first."""
    from dataset_tools.versions import DataSets

    found = DataSets(Settings()).listed()
    if as_json:
        rows = [
            {
                **asdict(listed.version),
                "created": listed.version.created.isoformat(),
                "catalog": listed.noted,
            }
            for listed in found
        ]
        typer.echo(json.dumps(rows, indent=2))
        return
    if not found:
        say("no versions yet; `dataset add DIR` makes the first")
        return
    table(
        ["version", "of", "category", "created (UTC)", "files", "MB", "content", "in the catalog"],
        [
            [
                listed.version.tag,
                listed.version.kind,
                listed.version.category,
                f"{listed.version.created.astimezone(UTC):%Y-%m-%d %H:%M}",
                str(listed.version.num_files),
                f"{listed.version.size_bytes / 1e6:.1f}",
                listed.version.content_md5[:12],
                listed.noted,
            ]
            for listed in found
        ],
    )


def diff(
    old: Annotated[str, typer.Argument(help="A version of an annotation set, such as v2.")],
    new: Annotated[str, typer.Argument(help="Another, such as v3.")],
    as_json: JsonOption = False,
) -> None:
    """What is different in the newer of two versions: images, labels, numbers of each class."""
    from dataset_tools.versions import DataSets

    old_tag, new_tag, found = DataSets(Settings()).diff(old, new)
    if as_json:
        typer.echo(json.dumps({"old": old_tag, "new": new_tag, **asdict(found)}, indent=2))
        return
    kinds = {"images": found.images, "labels": found.labels}
    rows = [
        [what, str(len(one.added)), str(len(one.changed)), str(len(one.removed))]
        for what, one in kinds.items()
    ]
    table([f"{old_tag} -> {new_tag}", "added", "changed", "removed"], rows)
    for changes in kinds.values():
        _names(changes)
    typer.echo()
    counts = [
        [label, str(before), str(after), f"{after - before:+d}" if after != before else ""]
        for label, (before, after) in found.class_counts.items()
    ]
    table(["class", old_tag, new_tag, "change"], counts)


def gc(
    store: Annotated[
        bool, typer.Option("--store", help="Delete from the store too, not only from the cache.")
    ] = False,
    yes: YesOption = False,
) -> None:
    """Delete files that no version needs any more, such as those of an add that failed.

    --store: of a store that other data set repositories use too nothing is deleted; nobody may add
    meanwhile.
    """
    from dataset_tools.versions import DataSets

    data_sets = DataSets(Settings())
    if not yes:
        if store:
            say("What somebody adds meanwhile on another machine would be lost.")
        where = "the cache and the store" if store else "the cache"
        typer.confirm(f"Delete what no version needs from {where}?", abort=True, err=True)
    freed = data_sets.gc(store)
    rows = [["cache", str(freed.num_cached), f"{freed.cached_bytes / 1e6:.1f}"]]
    if store:
        rows.append(["store", str(freed.num_stored), f"{freed.stored_bytes / 1e6:.1f}"])
    table(["deleted from", "files", "MB"], rows)


def _say_left_out(left_out: LeftOut) -> None:
    """How many files are not in the version, and the first ones with their reasons."""
    reasons = {**left_out.rejected, **dict.fromkeys(left_out.unreviewed, "not reviewed")}
    if not reasons:
        return
    num_rejected, num_unreviewed = len(left_out.rejected), len(left_out.unreviewed)
    files = "1 file" if num_rejected == 1 else f"{num_rejected} files"
    said = [f"{files} that cannot be used"] if num_rejected else []
    said += [f"{num_unreviewed} that no person has reviewed"] if num_unreviewed else []
    say(f"left out: {', '.join(said)}")
    for file, reason in list(reasons.items())[:_LEFT_OUT_SHOWN]:
        say(f"- {file}: {reason}")
    if len(reasons) > _LEFT_OUT_SHOWN:
        say(f"  and {len(reasons) - _LEFT_OUT_SHOWN} more; `dataset validate` names all")


def _names(changes: Changes) -> None:
    """The names of changed files, one a line, marked with what became of each."""
    for mark, names in (("+", changes.added), ("~", changes.changed), ("-", changes.removed)):
        for name in names[:_NAMES_SHOWN]:
            typer.echo(f"{mark} {name}")
        if len(names) > _NAMES_SHOWN:
            typer.echo(f"{mark} ... and {len(names) - _NAMES_SHOWN} more; --json names all")
