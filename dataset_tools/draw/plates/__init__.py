"""Plates painted flat: text, furniture and ground, each with where it stands."""
