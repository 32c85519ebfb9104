"""Sync: from what HearLink says and what Xero holds to the calls between, each once, each on record."""
