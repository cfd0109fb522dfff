"""Annotation set to training set."""
