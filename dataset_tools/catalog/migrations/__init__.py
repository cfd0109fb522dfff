"""Alembic's migrations of the catalog; docs/catalog.md says how to add one."""
