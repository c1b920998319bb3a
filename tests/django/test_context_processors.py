import pytest
from django.test import RequestFactory

from consentkit.django.context_processors import consent
from consentkit.errors import MissingMiddlewareError


def test_request_that_did_not_pass_has_no_consent() -> None:
    with pytest.raises(MissingMiddlewareError):
        consent(RequestFactory().get("/"))
