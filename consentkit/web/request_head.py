"""A request's method, address and header fields, which every web framework can supply."""

from urllib.parse import quote

from consentkit.headers import RawHeaders

__all__ = ["RequestHead"]

# Characters that browsers do not percent-encode in a path (URL standard, path percent-encode set).
_SAFE_IN_PATH = "/%:@!$&'()*+,;=~-._"


class RequestHead:
    """A request without its body.

    Attributes:
        method: in capitals; empty for a websocket's handshake.
        path: percent-decoded, with or without the root path in front, depending on the server.
        local_path: the path below the place where the application is mounted.
        root_path: where the application is mounted, without a slash at the end; empty at the top.
        query: the bytes after `?`.
        headers: pairs of raw bytes in the order in which they came, names in lower case.
        raw_path: the path as the browser sent it; None if the server does not keep it.
    """

    __slots__ = ("headers", "local_path", "method", "path", "query", "raw_path", "root_path")

    def __init__(
        self,
        method: str,
        path: str,
        headers: RawHeaders,
        root_path: str = "",
        query: bytes = b"",
        raw_path: bytes | None = None,
    ) -> None:
        self.method = method
        self.path = path
        self.headers = headers
        self.root_path = root_path
        self.local_path = path
        if root_path:
            self.root_path = root = root_path.rstrip("/")
            self.local_path = path.removeprefix(root) if path.startswith(f"{root}/") else path
        self.query = query
        self.raw_path = raw_path

    @property
    def target(self) -> str:
        """The path and query of the request, percent-encoded."""
        raw = self.raw_path
        path = raw.decode("latin-1") if raw else quote(self.path, safe=_SAFE_IN_PATH)
        return f"{path}?{self.query.decode('latin-1')}" if self.query else path
