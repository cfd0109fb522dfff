"""Servers that people use for a model such as ours, each as its own documentation has it."""
