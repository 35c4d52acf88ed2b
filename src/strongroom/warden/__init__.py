"""The one process with power on a host: it witnesses acts, keeps the record, and brings about what the record allows."""
