"""Measurements. Their figures are for people to read and compare; no test depends on them."""
