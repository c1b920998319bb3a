"""What the library answers under its prefix."""

from consentkit.web.endpoints.router import Endpoints

__all__ = ["Endpoints"]
