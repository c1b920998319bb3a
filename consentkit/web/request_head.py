"""A request's method, address and header fields, which every web framework can supply."""

import logging
import re
from urllib.parse import quote

from consentkit.headers import RawHeaders

__all__ = ["RequestHead"]

log = logging.getLogger("consentkit")

# One slash at the start, because browsers take two for another host, and a backslash for a slash. They remove tabs and line
# breaks. `?` and `#` would end the path, and a lone surrogate cannot be sent.
_PLAIN_ROOT_PATH = re.compile(r"/[^/\\?#\x00-\x1f\x7f\ud800-\udfff][^\\?#\x00-\x1f\x7f\ud800-\udfff]*")
_MOST_REFUSED = 16
# Root paths that were logged. A proxy may take them from a header of the request, so they are bounded.
_refused_root_paths: set[str] = set()
# Characters that browsers do not percent-encode in a path (URL standard, path percent-encode set).
_SAFE_IN_PATH = "/%:@!$&'()*+,;=~-._"


class RequestHead:
    """A request without its body.

    Attributes:
        method: in capitals; empty for a websocket's handshake.
        path: percent-decoded, with or without the root path in front, depending on the server.
        local_path: the path below the place where the application is mounted.
        root_path: where the application is mounted, without a slash at the end; empty at the top, and if the server's value
            is not a plain absolute path.
        query: the bytes after `?`.
        headers: pairs of raw bytes in the order in which they came, names in lower case.
        raw_path: the path as the browser sent it; None if the server does not keep it.
        peer: the address at the other end of the connection; empty for a Unix socket, or if the server does not know it.
    """

    __slots__ = ("headers", "local_path", "method", "path", "peer", "query", "raw_path", "root_path")

    def __init__(
        self,
        method: str,
        path: str,
        headers: RawHeaders,
        root_path: str = "",
        query: bytes = b"",
        raw_path: bytes | None = None,
        peer: str = "",
    ) -> None:
        self.method = method
        self.path = path
        self.headers = headers
        self.root_path = root_path
        self.local_path = path
        if root_path:
            self.root_path = root = _plain_root_path(root_path)
            self.local_path = path.removeprefix(root) if path.startswith(f"{root}/") else path
        self.query = query
        self.raw_path = raw_path
        self.peer = peer

    @property
    def target(self) -> str:
        """The path and query of the request, percent-encoded."""
        raw = self.raw_path
        path = raw.decode("latin-1") if raw else quote(self.path, safe=_SAFE_IN_PATH)
        return f"{path}?{self.query.decode('latin-1')}" if self.query else path


def _plain_root_path(root_path: str) -> str:
    """Return a root path without slashes at the end, or an empty one in place of what is not a plain absolute path.

    It is written into the addresses of the library's script and forms. Anything else than a path, such as `//host`, would lead
    them to another site.
    """
    root = root_path.rstrip("/")
    if not root or _PLAIN_ROOT_PATH.fullmatch(root):
        return root
    if root_path not in _refused_root_paths and len(_refused_root_paths) < _MOST_REFUSED:
        _refused_root_paths.add(root_path)
        log.warning(
            "root_path = %.100r is not a path, so it is ignored. Configure the server or proxy to send one like '/app'.",
            root_path,
        )
    return ""
