"""Lettering: characters of fonts, and stroke alphabets that no font has."""
