from typing import Any

import pytest

from tests.conftest import Clock
from tests.support.django_site import DjangoSite


@pytest.fixture
def site(settings: Any, clock: Clock) -> DjangoSite:
    """The site of the example in Django, with a ledger of its own, in memory."""
    return DjangoSite(settings, clock)
