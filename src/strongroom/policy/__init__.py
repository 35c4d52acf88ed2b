"""The rules as data: what an auditor reads. Imports nothing of the product."""
