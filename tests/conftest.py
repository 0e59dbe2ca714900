"""Shared by all tests: where the development data sets are, no user's configuration, and noise that luck has no part in.

Noise comes from a seeded generator in place of OpenDP's, seeded by the test's own name: everything else of a private run is the true path. A test of
the noise itself is marked ``true_noise`` and states how often it fails by luck (tests/README.md holds the sum).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import settings

# a loaded machine is no fault of the code, and neither is an example that only tonight's draw holds
settings.register_profile("house", deadline=None, derandomize=True)
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


def _loaded() -> ModuleType:
    """The module that seeds the noise: not on the path, so that no process finds it by chance."""
    spec = spec_from_file_location("seeded_noise", SEEDED / "sitecustomize.py")
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


SEEDED = Path(__file__).parent / "seeded"
NOISE = _loaded()


def pytest_configure(config: pytest.Config) -> None:
    """Before any test: noise has a source that can be seeded."""
    NOISE.install()


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: Any, request: Any) -> Iterator[Any]:
    """What several tests share is made with noise of its own name, whichever of them comes first."""
    if fixturedef.scope == "function":
        return (yield)
    with NOISE.seeded(f"{fixturedef.baseid}::{fixturedef.argname}[{getattr(request, 'param_index', 0)}]"):
        return (yield)


@pytest.fixture
def seeded_process(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes that this test starts draw noise that is seeded by its name."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(SEEDED), *filter(None, [os.environ.get("PYTHONPATH", "")])]))
    monkeypatch.setenv(NOISE.NAME, request.node.nodeid)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[Any]:
    """Noise seeded by the test's name; the true one for tests of it."""
    with NOISE.seeded(None if item.get_closest_marker("true_noise") else item.nodeid):
        return (yield)
