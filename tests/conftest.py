"""What several tests need."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

# The suite tries the same examples each time, so that it passes or fails by the commit; make soak searches for others.
settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("search", print_blob=True, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of public data sets beside the checkout; the test is skipped where it is not there."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the public data sets (../shared/data) are not beside this checkout")
    return SHARED_DATA
