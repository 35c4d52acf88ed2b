"""A deposit's own door: resumable, write-only, for one secret, from some addresses, until a time.

Each open deposit has one process without any privilege that can write into one folder and nowhere else.
"""
