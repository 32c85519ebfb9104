"""What a release holds: made (`make dist`, `make release`), and tested as an operator gets it."""
