"""Scenes: plates in a photograph, what stands beside them, light and camera."""
