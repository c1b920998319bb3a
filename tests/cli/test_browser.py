import sys

import pytest

from consentkit.cli.browser import VARIABLE, camera
from consentkit.errors import ConfigurationError

HOSTILE = "<body onload=\"document.body.innerHTML = 'run'\"><script>document.body.innerHTML = 'run'</script><p>words"


def test_pictures_are_as_wide_as_asked_and_no_script_runs() -> None:
    with camera() as browser:
        assert browser.version.startswith("Chromium ")
        narrow, wide = browser.picture(HOSTILE, 390), browser.picture(HOSTILE, 1280)
        assert narrow is not None and wide is not None and narrow.startswith(b"\x89PNG")
        assert (int.from_bytes(narrow[16:20], "big"), int.from_bytes(wide[16:20], "big")) == (390, 1280)
        assert narrow == browser.picture("<body><p>words", 390)
        tall = browser.picture('<div style="height: 30000px">', 390)
        assert tall is not None and int.from_bytes(tall[20:24], "big") == 16_000
        page = '<style>p{{position:{}; bottom:0; margin:0}}</style><p class="consent-save">x<div style="height:{}px">'
        sticky, still = (browser.picture(page.format(each, 5000), 390) for each in ("sticky", "static"))
        assert sticky == still is not None
        pdf = browser.pdf(HOSTILE)
        assert pdf is not None and pdf.startswith(b"%PDF")
        browser._browser.close()
        assert browser.picture("x", 390) is None and browser.pdf("x") is None


def test_without_a_browser_or_the_extra_there_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "/nowhere/chromium")
    with pytest.raises(ConfigurationError, match=f"Install Chromium, or set {VARIABLE}"), camera():
        pass
    monkeypatch.setitem(sys.modules, "playwright.sync_api", None)
    with pytest.raises(ConfigurationError, match=r"consentkit\[report\]"), camera():
        pass
