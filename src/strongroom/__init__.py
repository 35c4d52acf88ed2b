"""Strongroom: a complete trusted research environment."""
