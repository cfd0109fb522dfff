"""Recorded data sets, read for training and evaluation."""
