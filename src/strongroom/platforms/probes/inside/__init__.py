"""Checks that run inside a container, fed to it by ``strongroom.platforms.probes.vantage``."""
