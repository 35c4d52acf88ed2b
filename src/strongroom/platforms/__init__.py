"""Where environments run: the contract, the manifests, and one driver for each kind of host."""
