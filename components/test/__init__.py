"""The best model's readings of images that it never saw."""
