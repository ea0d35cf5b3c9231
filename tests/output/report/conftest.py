"""A browser for the tests of pages."""

from collections.abc import Iterator

import pytest

from tests.browser.driven import PROGRAMS, Browser, driven


@pytest.fixture(scope="module", params=PROGRAMS)
def browser(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Browser]:
    """Chromium and Firefox, each started once."""
    with driven(request.param, tmp_path_factory.mktemp("downloads")) as started:
        yield started
