"""`dataset import-first-system`: move from the first system's database."""

from __future__ import annotations

from typing import Annotated

import typer

from commands.terminal import bar, say, table
from sub_module.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the commands to the group `dataset`."""
    app.command("import-first-system")(import_first_system)


def import_first_system(
    source: Annotated[
        str | None,
        typer.Option(
            "--from",
            envvar="PLATEFLOW_FIRST_SYSTEM_URL",
            show_envvar=True,
            metavar="URL",
            help="The first system's database, such as mysql+pymysql://user@host/name; without a "
            "password it takes PLATEFLOW_DATABASE_PASSWORD. Default: the catalog's database.",
        ),
    ] = None,
    prefix: Annotated[
        str, typer.Option(help="Goes before each version's name, so that v1 stays free.")
    ] = "first-",
) -> None:
    """Move what the first system's tables ann_data, image_data and train_data say."""
    # SQLAlchemy takes a second and a half to import.
    from dataset_tools.catalog import open_catalog
    from dataset_tools.catalog.connect import catalog_url, database_url
    from dataset_tools.catalog.first_system import import_first_system as move

    settings = Settings()
    url = database_url(source, "--from", settings) if source else catalog_url(settings)
    catalog = open_catalog(settings)
    with bar("moving") as progress:
        imported = move(catalog, url, prefix, progress)
    rows = [
        [found.tag, str(found.num_images), str(found.num_doubles), "yes" if found.is_new else "no"]
        for found in imported
    ]
    table(["tag", "images", "left out (named twice)", "new"], rows)
    say(f"{sum(found.is_new for found in imported)} of {len(imported)} sets are new")
