"""The best model put to use."""
