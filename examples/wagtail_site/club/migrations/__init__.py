"""The migrations of the club's pages."""
