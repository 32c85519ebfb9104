"""The whole service under failures of every kind, and a checker that knows what must come out."""
