"""What one site tells by webhooks: the messages of its records, and the thread that sends them, if there are endpoints at all."""

from collections.abc import Callable, Sequence

from consentkit.consent import Evaluator
from consentkit.ledger import Ledger
from consentkit.manager.webhook_sender import WebhookSender
from consentkit.manager.webhooks import Webhook, WebhookMessages, validated_webhooks

__all__ = ["WebhookDelivery"]


class WebhookDelivery:
    """The webhooks of one manager.

    Attributes:
        messages: makes the messages of records, which are stored with them.
        sender: sends what is stored; None without endpoints.
    """

    def __init__(
        self,
        webhooks: Sequence[Webhook],
        evaluator: Evaluator,
        ledger: Ledger | None,
        *,
        clock: Callable[[], float],
    ) -> None:
        """Check the endpoints, without connecting. Raises as `validated_webhooks` does."""
        endpoints = validated_webhooks(webhooks, evaluator, has_ledger=ledger is not None)
        self.messages = WebhookMessages(endpoints, evaluator, clock=clock)
        self.sender: WebhookSender | None = None
        if ledger is not None and endpoints:
            self.sender = WebhookSender(ledger.outbox, endpoints, site=evaluator.site.id, clock=clock)

    def wake(self) -> None:
        """Send soon what was just stored."""
        if self.sender is not None:
            self.sender.wake()

    def look(self) -> None:
        """Send what other processes left behind."""
        if self.sender is not None:
            self.sender.look()

    def health(self) -> dict[str, int] | None:
        """Return how many messages are `waiting` and `dead`, as of the last look; None before, and without endpoints."""
        return self.sender.health() if self.sender is not None else None

    def close(self) -> None:
        """Send what is due for a moment, then stop."""
        if self.sender is not None:
            self.sender.close()
