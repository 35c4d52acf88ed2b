"""Depositing data: what both ends agree on (names, manifest, receipt) and the client that sends files."""
