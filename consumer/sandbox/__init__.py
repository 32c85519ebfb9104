"""What the demo and the tests start: a broker, a database and a Xero of their own."""
