"""The detector as a server, and those who ask it."""
