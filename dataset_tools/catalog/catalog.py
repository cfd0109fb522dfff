"""The catalog: what is in which set, which run trained on it, which model came of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import islice

from sqlalchemy import Engine, Table, insert, select, text, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from dataset_tools.catalog.connect import catalog_url, connect, for_writing, shown
from dataset_tools.catalog.diff import diff_sets
from dataset_tools.catalog.failures import in_one_line
from dataset_tools.catalog.migrate import migrate
from dataset_tools.catalog.models import (
    Annotation,
    AnnotationSet,
    Image,
    Model,
    Run,
    TrainingSet,
    table_of,
)
from dataset_tools.catalog.notes import note_model, note_run, required
from dataset_tools.catalog.rows import (
    AnnotationRow,
    Conflict,
    ImageRow,
    ModelRow,
    NewAnnotationSet,
    NewTrainingSet,
    RunRow,
    SetDiff,
)
from sub_module.errors import CatalogError
from sub_module.settings import Settings

# At a time: few enough to keep memory flat, enough to keep the database busy.
_NUM_ROWS = 5000


def open_catalog(settings: Settings) -> Catalog:
    """The catalog of the settings, its tables brought to what this code needs.

    Any number of processes may open one at the same time.

    Raises:
        CatalogError: It cannot be reached, refuses, is newer than this code, or is no catalog.
        OSError: The home cannot be made.
    """
    url = catalog_url(settings)
    engine, name = connect(url), shown(url)
    with in_one_line(name):
        migrate(engine, name)
    return Catalog(engine, name)


class Catalog:
    """A database that says what is in which set; `open_catalog` gives one.

    Every method raises `CatalogError`, one line that names the database and never its password.
    Rows that come out are detached: plain values to read.

    Attributes:
        name: URL without password, for messages.
    """

    def __init__(self, engine: Engine, name: str) -> None:
        """Work on a migrated database."""
        self.name = name
        self._reading = engine
        self._writing = for_writing(engine)

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """A session whose changes are all kept, or after any exception none.

        Raises:
            Conflict: Rows are there already.
            CatalogError: The database fails, or was lost on the way: nothing is changed, except
                that nobody knows when it was lost in the moment of the commit.
        """
        with in_one_line(self.name), Session(self._writing, expire_on_commit=False) as session:
            try:
                yield session
                session.commit()
            except BaseException:
                # A server that is gone cannot be told, and has undone it; what counts is why.
                with suppress(SQLAlchemyError):
                    session.rollback()
                raise

    def add_annotation_set(
        self, session: Session, new: NewAnnotationSet, annotations: Iterable[AnnotationRow]
    ) -> None:
        """Add a version with its images; they are taken a few thousand at a time.

        Raises:
            Conflict: The tag, or the version of the category, is there already.
            CatalogError: The database fails, or there are not `num_images` images.
        """
        with in_one_line(self.name):
            fields = vars(new) | {"class_counts": dict(new.class_counts)}
            added = AnnotationSet(**fields)
            session.add(added)
            session.flush()
            of_set = {"annotation_set_id": added.id}
            num_rows = self._add_rows(session, table_of(Annotation), of_set, annotations)
        self._check_number(new.tag, new.num_images, num_rows)

    def annotation_set(self, tag: str) -> AnnotationSet | None:
        """The annotation set of a tag; None when there is none."""
        with self._read() as session:
            return session.scalar(select(AnnotationSet).filter_by(tag=tag))

    def annotation_sets(self) -> list[AnnotationSet]:
        """All annotation sets, oldest first."""
        with self._read() as session:
            return list(session.scalars(select(AnnotationSet).order_by(AnnotationSet.id)))

    def diff(self, old_tag: str, new_tag: str) -> SetDiff:
        """How one annotation set differs from another.

        Raises:
            CatalogError: There is no set of that tag, or the database fails.
        """
        with self._read() as session:
            old = required(session, AnnotationSet, AnnotationSet.tag, old_tag)
            new = required(session, AnnotationSet, AnnotationSet.tag, new_tag)
            return diff_sets(session, old, new)

    def add_training_set(
        self, session: Session, new: NewTrainingSet, images: Iterable[ImageRow]
    ) -> None:
        """Add a version with its images; they are taken a few thousand at a time.

        Raises:
            Conflict: The tag, or the version of the category, is there already.
            CatalogError: The annotation set is not there, the database fails, or there are not
                as many images as `num_images` says.
        """
        with in_one_line(self.name):
            fields = vars(new) | {"split": dict(new.split), "num_images": dict(new.num_images)}
            tag = fields.pop("annotation_tag")
            if tag is not None:
                fields["annotation_set"] = required(session, AnnotationSet, AnnotationSet.tag, tag)
            added = TrainingSet(**fields)
            session.add(added)
            session.flush()
            of_set = {"training_set_id": added.id}
            num_rows = self._add_rows(session, table_of(Image), of_set, images)
        self._check_number(new.tag, sum(new.num_images.values()), num_rows)

    def training_set(self, tag: str) -> TrainingSet | None:
        """The training set of a tag; None when there is none."""
        with self._read() as session:
            return session.scalar(select(TrainingSet).filter_by(tag=tag))

    def training_sets(self) -> list[TrainingSet]:
        """All training sets, oldest first."""
        with self._read() as session:
            return list(session.scalars(select(TrainingSet).order_by(TrainingSet.id)))

    def note_run(self, run: RunRow) -> None:
        """Insert a run, or update the one of that name.

        What is not said (no training set, no metrics) stays as it was.

        Raises:
            CatalogError: Its training set is not there, or the database fails.
        """
        self._write(lambda session: note_run(session, run))

    def note_models(self, models: Sequence[ModelRow]) -> None:
        """Insert models, or update those of that path; what is not said stays as it was.

        Raises:
            CatalogError: A run or a training set is not there, or the database fails.
        """
        self._write(lambda session: [note_model(session, model) for model in models])

    def note_deployed(self, model: ModelRow) -> None:
        """Insert or update a model, which becomes the only one that is deployed.

        Raises:
            CatalogError: Its run or its training set is not there, or the database fails.
        """

        def note(session: Session) -> None:
            noted = note_model(session, model)
            others = update(Model).where(Model.is_deployed, Model.id != noted.id)
            session.execute(others.values(is_deployed=False))
            noted.is_deployed = True

        self._write(note)

    def models(self) -> list[Model]:
        """All models, oldest first."""
        with self._read() as session:
            return list(session.scalars(select(Model).order_by(Model.id)))

    def runs(self) -> list[Run]:
        """All runs, oldest first."""
        with self._read() as session:
            return list(session.scalars(select(Run).order_by(Run.id)))

    def check(self) -> str:
        """Ask the server what it is, such as "MariaDB 10.11.19".

        Raises:
            CatalogError: It does not answer.
        """
        is_sqlite = self._reading.dialect.name == "sqlite"
        with self._read() as session:
            version = str(
                session.scalar(text(f"SELECT {'sqlite_version' if is_sqlite else 'version'}()"))
            )
        number, _, rest = version.partition("-")
        product = "SQLite" if is_sqlite else "MariaDB" if "MariaDB" in rest else "MySQL"
        return f"{product} {number}"

    @contextmanager
    def _read(self) -> Iterator[Session]:
        with in_one_line(self.name), Session(self._reading, expire_on_commit=False) as session:
            yield session

    def _write(self, work: Callable[[Session], object]) -> None:
        """Do work that finds rows or inserts them, in a transaction."""
        try:
            with self.transaction() as session:
                work(session)
        except Conflict:
            # Another process inserted one of them meanwhile; now it is found.
            with self.transaction() as session:
                work(session)

    def _add_rows(
        self,
        session: Session,
        table: Table,
        of_set: Mapping[str, int],
        rows: Iterable[AnnotationRow] | Iterable[ImageRow],
    ) -> int:
        """Insert rows with the set's id; gives how many."""
        iterator, number = iter(rows), 0
        while chunk := [{**of_set, **vars(row)} for row in islice(iterator, _NUM_ROWS)]:
            try:
                with in_one_line(self.name):
                    session.execute(insert(table), chunk)
            except Conflict as error:
                raise CatalogError(f"an image is named twice: {error}") from error
            except UnicodeEncodeError as error:
                name = ascii(error.object[:100])
                raise CatalogError(f"{self.name}: a name is no text: {name}") from error
            number += len(chunk)
        return number

    def _check_number(self, tag: str, expected: int, found: int) -> None:
        if expected != found:
            raise CatalogError(f"{self.name}: {tag} is to have {expected} images, not {found}")
