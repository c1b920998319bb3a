"""Cookie consent for Python web sites: asked for, enforced on the server, proved and withdrawn."""

__version__ = "0.1.0"
