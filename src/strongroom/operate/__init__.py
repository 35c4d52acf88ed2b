"""Installing, starting, stopping and looking at one installation; the only part that an operator runs as root."""
