"""Webhooks: which endpoints a site tells of a record, and the messages that they get.

A message is stored in the transaction of its record, by whatever way the record comes. So each record has its messages, and has
them once. `webhook_sender.py` sends what is stored.
"""

import base64
import binascii
import hashlib
import ipaddress
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final, Literal, get_args
from urllib.parse import urlsplit

from consentkit.consent import Evaluator
from consentkit.errors import ConfigurationError
from consentkit.ledger import Entries, Message, Record, View

__all__ = ["Event", "Webhook", "WebhookMessages", "validated_webhooks"]

Event = Literal["consent.withdrawn", "consent.changed"]

DAY: Final = 86_400
GIVE_UP_AFTER: Final = 7 * DAY
"""Seconds for which a message is tried: a long weekend, and the days to notice."""
_SECRET: Final = re.compile(r"whsec_[A-Za-z0-9+/]+={0,2}", re.ASCII)
_SECRET_BYTES: Final = range(24, 65)
_ADDRESS: Final = re.compile(r"[!-~]+", re.ASCII)
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Webhook:
    """An endpoint that is told of changes, by messages signed as Standard Webhooks specifies.

    Attributes:
        url: address of the endpoint: https, or http on this machine.
        secret: the endpoint's own secret, `whsec_` and 24 to 64 bytes in base64; or several, newest first, while receivers change
            over.
        vendors: ids of the vendors whose withdrawals the endpoint is told of; None for all.
        events: `consent.withdrawn`, a message for each vendor that lost its grant; `consent.changed`, one for each record in
            which anything began or ended.
        name: of the endpoint in the outbox, by default made from the address. With a name, the address may change while messages
            wait.

    Raises:
        ConfigurationError: an attribute cannot be used, with the remedy.
    """

    url: str
    secret: str | Sequence[str] = field(repr=False)
    vendors: Sequence[str] | None = None
    events: Sequence[Event] = ("consent.withdrawn",)
    name: str = ""

    def __post_init__(self) -> None:
        _check_address(self.url)
        if not self.secrets:
            raise ConfigurationError(f"Webhook({self.url!r}): the list of secrets is empty. Give one.")
        for secret in self.secrets:
            _check_secret(self.url, secret)
        if isinstance(self.vendors, str):
            raise ConfigurationError(f"Webhook({self.url!r}): vendors is a text. Give a list of ids.")
        unknown = [event for event in self.events if event not in get_args(Event)]
        if isinstance(self.events, str) or not self.events or unknown:
            raise ConfigurationError(
                f"Webhook({self.url!r}): events = {self.events!r}. Give a list of {' and '.join(get_args(Event))}."
            )
        if self.vendors is not None and "consent.changed" in self.events:
            raise ConfigurationError(
                f"Webhook({self.url!r}): consent.changed is about a whole record, so it cannot be limited to vendors. "
                "Leave vendors out, or the event."
            )
        if self.name and not _NAME.fullmatch(self.name):
            raise ConfigurationError(
                f"Webhook({self.url!r}): name = {self.name!r}. Use at most 64 letters, digits, dots, dashes and underscores."
            )

    @property
    def secrets(self) -> tuple[str, ...]:
        """The secrets, newest first."""
        return (self.secret,) if isinstance(self.secret, str) else tuple(self.secret)

    @property
    def endpoint(self) -> str:
        """The name of the endpoint. Path and query of the address are not in it, because they may be secret."""
        digest = hashlib.sha256(self.url.encode()).hexdigest()[:12]
        return self.name or f"{urlsplit(self.url).netloc}-{digest}"


def _check_address(url: object) -> None:
    try:
        parts = urlsplit(url) if isinstance(url, str) and _ADDRESS.fullmatch(url) else None
        is_usable = parts is not None and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_usable = False
    if not is_usable or parts is None or parts.scheme not in ("http", "https"):
        raise ConfigurationError(
            f"Webhook: url = {url!r} is not an address. Write it like 'https://crm.example.org/hooks/consent', in ASCII."
        )
    if parts.username is not None or parts.fragment:
        raise ConfigurationError(
            "Webhook: the url has a user name or a fragment, which are not sent. The signature shows who sends a message: "
            "leave them out."
        )
    if parts.scheme == "http" and not _is_loopback(parts.hostname or ""):
        raise ConfigurationError(
            f"Webhook: url = {url!r} is http, so everybody on the way can read the messages. Use https; http is for this "
            "machine only."
        )


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _check_secret(url: str, secret: object) -> None:
    try:
        well_formed = isinstance(secret, str) and _SECRET.fullmatch(secret) is not None
        length = len(base64.b64decode(str(secret)[6:], validate=True)) if well_formed else 0
    except binascii.Error:
        length = 0
    if length not in _SECRET_BYTES:
        raise ConfigurationError(
            f"Webhook({url!r}): the secret is not whsec_ and 24 to 64 bytes in base64. Make one with: "
            "python -c \"import base64, secrets; print('whsec_' + base64.b64encode(secrets.token_bytes(32)).decode())\""
        )


def validated_webhooks(
    webhooks: Sequence[Webhook], evaluator: Evaluator, *, has_ledger: bool
) -> tuple[Webhook, ...]:
    """Return the endpoints of a site after checking that they can be told.

    Raises:
        ConfigurationError: a value of another type, two endpoints of one name, no ledger, or the extra is not installed.
        UnknownVendorError: the policy lacks a vendor of an endpoint.
    """
    if isinstance(webhooks, str | Webhook) or not all(isinstance(each, Webhook) for each in webhooks):
        raise ConfigurationError(
            "webhooks is of the wrong type: pass a list, like [Webhook('https://crm.example.org/hooks', secret)]."
        )
    if not webhooks:
        return ()
    if not has_ledger:
        raise ConfigurationError(
            "webhooks= needs a ledger, where messages wait until they are delivered. Give ledger= a database URL."
        )
    names = [each.endpoint for each in webhooks]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigurationError(
            f"webhooks: several endpoints are called {', '.join(twice)}. List an address once, with all its events, or give "
            "each a name."
        )
    for vendor in {vendor for each in webhooks for vendor in each.vendors or ()}:
        evaluator.policy.vendor(vendor)
    try:
        import standardwebhooks  # noqa: F401 - whether it is installed
    except ImportError as error:
        raise ConfigurationError(
            "webhooks= needs the package standardwebhooks: install consentkit[webhooks]."
        ) from error
    return tuple(webhooks)


class WebhookMessages:
    """The messages that a site's endpoints get of records."""

    def __init__(
        self, webhooks: Sequence[Webhook], evaluator: Evaluator, *, clock: Callable[[], float]
    ) -> None:
        self._webhooks, self._evaluator, self._clock = webhooks, evaluator, clock

    def telling(self, work_out: Callable[[View], Entries]) -> Callable[[View], Entries]:
        """Return a function that adds the messages of its new records to what another one works out."""
        if not self._webhooks:
            return work_out

        def work_out_with_messages(view: View) -> Entries:
            entries = work_out(view)
            return replace(
                entries,
                messages=tuple(
                    message
                    for record in entries.records
                    if (messages := self.of(record)) and view.stored(record.id) is None
                    for message in messages
                ),
            )

        return work_out_with_messages

    def of_all(self, records: Iterable[Record]) -> tuple[Message, ...]:
        """Return the messages of records that are new in the ledger."""
        return tuple(message for record in records for message in self.of(record))

    def of(self, record: Record) -> list[Message]:
        """Return the messages of a record."""
        return [
            self._message(record, webhook, event, vendor)
            for webhook in self._webhooks
            for event in webhook.events
            for vendor in _told_of(record, event, webhook.vendors)
        ]

    def _message(self, record: Record, webhook: Webhook, event: Event, vendor: str | None) -> Message:
        now = int(self._clock())
        return Message(
            id=_message_id(record, webhook.endpoint, event, vendor),
            record=record.id,
            site=self._evaluator.site.id,
            endpoint=webhook.endpoint,
            type=event,
            body=json.dumps(self._payload(record, event, vendor), separators=(",", ":")),
            created_at=now,
            gives_up_at=now + GIVE_UP_AFTER,
        )

    def _payload(self, record: Record, event: Event, vendor: str | None) -> dict[str, Any]:
        began, ended = record.began, record.ended
        if vendor is not None:
            # A third party is told of itself, and not what the visitor thinks of others.
            notice = self._evaluator.known(record.notice)
            category = notice.vendor_category.get(vendor) if notice is not None else None
            began = {"categories": [], "vendors": []}
            ended = {
                "categories": [each for each in ended["categories"] if each == category],
                "vendors": [vendor],
            }
        return {
            "type": event,
            "timestamp": datetime.fromtimestamp(record.at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "data": {
                "record": record.id,
                "event": record.event,
                "site": record.site,
                "group": record.group,
                "subject": record.subject,
                "vendor": vendor,
                "began": began,
                "ended": ended,
                "notice": record.notice,
            },
        }


def _told_of(record: Record, event: Event, vendors: Sequence[str] | None) -> Iterator[str | None]:
    """Yield the vendor of each message that an event causes; None for a message about the whole record."""
    if event == "consent.withdrawn":
        yield from (vendor for vendor in record.ended["vendors"] if vendors is None or vendor in vendors)
    elif any((*record.began.values(), *record.ended.values())):
        yield None


def _message_id(record: Record, endpoint: str, event: Event, vendor: str | None) -> str:
    text = json.dumps([record.id, endpoint, event, vendor])
    digest = hashlib.sha256(text.encode()).digest()[:24]
    # No full stops: they separate the parts of what is signed.
    return f"msg_{base64.urlsafe_b64encode(digest).decode()}"
