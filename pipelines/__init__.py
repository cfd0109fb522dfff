"""The pipelines, their versions and runs, and where they run."""
