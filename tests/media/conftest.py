from __future__ import annotations

import pytest
import strangers


@pytest.fixture(scope="session", autouse=True)
def tools() -> None:
    """The programs that judge; the README's test command installs them."""
    missing = strangers.missing_tools()
    assert not missing, f"{', '.join(missing)} not found; install them as the README says"
