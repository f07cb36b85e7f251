"""Where NannyML's sets lie: in its wheel, of which only the files are read."""

import importlib.util
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def nannyml_data() -> Path:
    found = importlib.util.find_spec("nannyml")
    if found is None or not found.submodule_search_locations:
        pytest.skip("left out: no NannyML wheel; scripts/setup installs it where there is a network")
    return Path(found.submodule_search_locations[0]) / "datasets" / "data"
