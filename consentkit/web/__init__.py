"""One request and its response without I/O, and the endpoints under the prefix.

An adapter for another framework imports only the names listed here. `consentkit.asgi` is an example.
"""

from consentkit.web.embed_signer import EmbedSigner
from consentkit.web.endpoints import Answer, BodyBuffer, Endpoints, LedgerStep, refusal
from consentkit.web.environ import head_from_environ, read_body, visible_environ
from consentkit.web.exchange import Exchange
from consentkit.web.request_consent import RequestConsent, head_of, manager_of
from consentkit.web.request_head import RequestHead
from consentkit.web.required_consent import check_required, mark_required
from consentkit.web.response import Response
from consentkit.web.sent_files import PATHSEND, ZEROCOPYSEND, read_pieces
from consentkit.web.services import SiteServices
from consentkit.web.threads import in_ledger_thread, look_up_in_time

__all__ = [
    "PATHSEND",
    "ZEROCOPYSEND",
    "Answer",
    "BodyBuffer",
    "EmbedSigner",
    "Endpoints",
    "Exchange",
    "LedgerStep",
    "RequestConsent",
    "RequestHead",
    "Response",
    "SiteServices",
    "check_required",
    "head_from_environ",
    "head_of",
    "in_ledger_thread",
    "look_up_in_time",
    "manager_of",
    "mark_required",
    "read_body",
    "read_pieces",
    "refusal",
    "visible_environ",
]
