"""Pages for people. Shows the records, carries forms to use cases; decides nothing."""
