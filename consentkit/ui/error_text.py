"""The texts of the error pages, for a visitor who pressed a button or followed a link."""

from typing import Literal

from consentkit.ui.i18n import N_, NP_, Translator

__all__ = ["ErrorTopic", "error_text"]

ErrorTopic = Literal["choice", "receipt"]

_NOT_SAVED = N_("We couldn’t save your choice")
_ERRORS = {
    400: (
        _NOT_SAVED,
        N_("Something in the request wasn’t valid. Please go back to the page and try again."),
    ),
    403: (
        _NOT_SAVED,
        N_("The request didn’t come from a page of this site. Please go back to the site and try again."),
    ),
    405: (
        _NOT_SAVED,
        N_("This address can’t be used that way. Please go back and use the buttons on the page."),
    ),
    409: (
        N_("This page has changed since you opened it"),
        N_("Your choice hasn’t been saved. Please look at the page again before you choose."),
    ),
    413: (_NOT_SAVED, N_("The request was too large. Please go back to the page and try again.")),
    415: (
        _NOT_SAVED,
        N_("The request has a format we can’t read. Please go back to the page and try again."),
    ),
    503: (
        _NOT_SAVED,
        N_("This is a temporary problem on our side, and nothing was accepted. Please try again later."),
    ),
}
_RECEIPT_ERRORS = {
    404: (
        N_("There is no receipt"),
        N_("A receipt shows what you allow. At the moment you allow nothing that needs your consent."),
    ),
    503: (
        N_("We can’t show your receipt right now"),
        N_("This is a temporary problem on our side. Your choice stays as it is. Please try again later."),
    ),
}


def error_text(status: int, translator: Translator, about: ErrorTopic = "choice") -> tuple[str, str]:
    """Return a title and a sentence for an HTTP status and what the request was about; not escaped."""
    if about == "receipt" and status in _RECEIPT_ERRORS:
        title, detail = _RECEIPT_ERRORS[status]
        return translator.gettext(title), translator.gettext(detail)
    if status == 404:
        # Translators: Title of an error page.
        title = NP_("title", "Page not found")
        return translator.pgettext("title", title), translator.gettext("There is no page at this address.")
    title, detail = _ERRORS.get(status, _ERRORS[400])
    return translator.gettext(title), translator.gettext(detail)
