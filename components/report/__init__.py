"""What a run achieved, as one page for a person and one JSON file for a program."""

from components.report.write import write_report

__all__ = ["write_report"]
