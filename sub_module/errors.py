"""What goes wrong through a user's input, as a small family that entry points map to exit codes.

The message of each is one line that names the file or the field and the reason.
"""


class PlateflowError(Exception):
    """An error that a user can mend; the command line prints it and exits with code 2."""


class ConfigError(PlateflowError):
    """A config, an override or a plate standard that cannot be used."""


class DataError(PlateflowError):
    """An image, a label file or a data set that cannot be used."""


class ModelError(PlateflowError):
    """A checkpoint or an exported model that cannot be used."""


class RunError(PlateflowError):
    """A run, a pipeline or a version that cannot be used as asked."""
