"""Environments as Podman pods on one host."""
