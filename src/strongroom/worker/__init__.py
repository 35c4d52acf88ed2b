"""The powerless background process: takes the warden's record over, writes mail, reminds, signs the app's ledger."""
