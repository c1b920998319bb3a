"""Complete sites and small programs that show consentkit at work."""
