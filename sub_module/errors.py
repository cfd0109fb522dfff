"""What goes wrong through a user's input, as a small family that entry points map to exit codes.

The message of each is one line that names the file or the field and the reason.
"""

from collections.abc import Sequence


class PlateflowError(Exception):
    """An error that a user can mend; the command line prints it and exits with code 2."""


class ConfigError(PlateflowError):
    """A config, an override or a plate standard that cannot be used."""


class DataError(PlateflowError):
    """An image, a label file or a data set that cannot be used."""


class LabelError(DataError):
    """A label file with shapes that cannot be.

    Attributes:
        faults: One line each, which names the shape (`shape 3 ('a'): ...`); at least one.
    """

    def __init__(self, faults: Sequence[str]) -> None:
        """All that is wrong with one file; the message is the first, and the number of the rest."""
        self.faults = tuple(faults)
        others = f" (and {len(self.faults) - 1} more)" if len(self.faults) > 1 else ""
        super().__init__(f"{self.faults[0]}{others}")


class StoreError(PlateflowError):
    """An object store that cannot be reached, refuses, or holds damaged bytes."""


class CatalogError(PlateflowError):
    """A database that cannot be reached, refuses, or holds something else."""


class ModelError(PlateflowError):
    """A checkpoint or an exported model that cannot be used."""


class RunError(PlateflowError):
    """A run, a pipeline or a version that cannot be used as asked."""


class ClusterError(PlateflowError):
    """A cluster that cannot be reached, or refuses.

    Attributes:
        status: HTTP's; None: there was no answer.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        """One line, and the status of the answer."""
        self.status = status
        super().__init__(message)
