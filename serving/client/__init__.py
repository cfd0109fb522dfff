"""Asking a model server: images out, readings in."""

from serving.client.client import PlateClient
from serving.client.errors import ImageError, ServerError
from serving.client.settings import ClientSettings, client_settings

__all__ = ["ClientSettings", "ImageError", "PlateClient", "ServerError", "client_settings"]
