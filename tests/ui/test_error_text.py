import pytest

from consentkit.ui.error_text import error_text
from consentkit.ui.i18n import Translator


@pytest.mark.parametrize("status", [400, 403, 404, 405, 409, 413, 415, 503])
def test_every_error_status_has_a_title_and_a_sentence(status: int) -> None:
    title, detail = error_text(status, Translator("en"))
    assert not title.endswith(".")
    assert detail.endswith(".")


def test_an_unknown_error_status_reads_as_a_malformed_form() -> None:
    assert error_text(499, Translator("en")) == error_text(400, Translator("en"))
