"""Tables of plug-ins: listed without imports, loaded by name, open to other people's packages."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from twinset.core.registry import Registry
from twinset.errors import BadInput

TABLE = Registry("generator", {"first": "twinset.generators.independent:Independent", "absent": "twinset.no_such_module:Nothing"})


def test_listing_imports_nothing() -> None:
    assert TABLE.names()[:2] == ("first", "absent")
    assert list(TABLE)[:2] == ["first", "absent"]
    assert "absent" in TABLE
    assert "nobody" not in TABLE
    assert "twinset.no_such_module" not in sys.modules


def test_a_name_loads_its_module() -> None:
    assert TABLE["first"].__name__ == "Independent"
    with pytest.raises(ModuleNotFoundError):
        TABLE["absent"]


def test_an_unknown_name_says_what_is_known() -> None:
    with pytest.raises(BadInput, match="no generator is called `tree`") as caught:
        TABLE["tree"]
    assert "first, absent" in caught.value.hint


def test_an_installed_package_adds_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A real distribution on the path, with a real entry point."""
    (tmp_path / "visitor_plugin.py").write_text("class Visitor:\n    kind = 'from outside'\n")
    info = tmp_path / "visitor_plugin-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: visitor-plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[twinset.generator]\nvisitor = visitor_plugin:Visitor\nfirst = visitor_plugin:Visitor\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert TABLE.names() == ("first", "absent", "visitor")
    assert TABLE["visitor"].kind == "from outside"
    assert TABLE["first"].__name__ == "Independent"  # ours are not replaced
    assert "visitor" not in Registry("attack", {}).names()
