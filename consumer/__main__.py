"""`python -m consumer` is `hearlink-xero`."""

from consumer.cli import main

if __name__ == "__main__":
    main()
