"""Models of the Hub."""
