"""Shared by all tests: where the development data sets are, and small made-up cohorts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("house", deadline=None)  # a loaded machine is no fault of the code
settings.load_profile("house")

CONFIG = "TWINSET_CONFIG"
SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of development data sets; tests that need it skip where it is absent."""
    folder = SHARED / "data"
    if not folder.is_dir():
        pytest.skip("the development data sets are not here")
    return folder


@pytest.fixture(scope="session", autouse=True)
def _no_register_of_the_user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test writes to the configuration of whoever runs it, nor does a process that a test starts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CONFIG, str(tmp_path_factory.mktemp("config")))
        yield


@pytest.fixture(autouse=True)
def config(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's configuration folder, of this test alone and not there yet: each test is a user who never ran anything."""
    folder = tmp_path_factory.mktemp("user") / "twinset"
    monkeypatch.setenv(CONFIG, str(folder))
    return folder
