"""What nobody expected: one line without values, exit code 70, from a library's error and from a panic that is no Exception."""

from __future__ import annotations

import subprocess
import sys

import pytest

PLANTED = """
import sys
import polars
import {module} as module

def boom(*_, **__):
    raise {error}

module.{name} = boom
from twinset.cli.app import main
sys.argv = ["twinset", *{arguments}]
main()
"""
ERRORS = {
    "polars": 'polars.exceptions.ComputeError("conversion failed for Mary Smith 1950")',
    "a panic": 'polars.exceptions.PanicException("Mary Smith 1950")',
    "numpy": 'ValueError("could not convert string to float: Mary Smith 1950")',
    "our own": 'AssertionError("Mary Smith 1950")',
}
COMMANDS = {
    "init": ("twinset.draft", "draft", ["init", "t.csv"]),
    "release": ("twinset.study", "load", ["release", "s.toml", "-o", "out"]),
    "ask": ("twinset.study", "load", ["ask", "s.toml", "count()", "-e", "1"]),
    "ledger": ("twinset.dp.ledger_file", "read", ["ledger", "show", "x"]),
    "plugins": ("twinset.api", "plugins", ["plugins"]),
}


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("command", COMMANDS)
def test_an_unexpected_error_is_told_without_its_message(tmp_path, command: str, error: str) -> None:
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    module, name, arguments = COMMANDS[command]
    code = PLANTED.format(module=module, name=name, error=ERRORS[error], arguments=arguments)
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 70, done.stderr
    assert "Mary" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert "its message is withheld" in done.stderr
