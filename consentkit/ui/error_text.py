"""The texts of the error pages, for a visitor who pressed a button or followed a link."""

from consentkit.ui.i18n import N_, NP_, Translator

__all__ = ["error_text"]

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


def error_text(status: int, translator: Translator) -> tuple[str, str]:
    """Return a title and a sentence for an HTTP status; not escaped."""
    if status == 404:
        # Translators: Title of an error page.
        title = NP_("title", "Page not found")
        return translator.pgettext("title", title), translator.gettext("There is no page at this address.")
    title, detail = _ERRORS.get(status, _ERRORS[400])
    return translator.gettext(title), translator.gettext(detail)
