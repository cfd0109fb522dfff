"""Traps: images that a reader must not fall for."""
