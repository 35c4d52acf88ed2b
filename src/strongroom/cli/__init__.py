"""Clients that people run on machines of their own."""
