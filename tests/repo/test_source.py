"""House rules that a machine can check."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

import twinset
from twinset.audit.endpoints import ENDPOINTS
from twinset.audit.fidelity import FIDELITY
from twinset.audit.privacy import ATTACKS, PRIVACY
from twinset.generators import GENERATORS

from .source import PACKAGE, ROOT, dotted, external, modules, tree

LONGEST_FUNCTION, LONGEST_FILE = 50, 320
# over the limit, with a reason that a reader would accept
LONG_FUNCTIONS: dict[str, str] = {"twinset.audit.endpoints.agreement._findings": "five findings, each with its words: a list, not logic"}
LONG_FILES: dict[str, str] = {
    "twinset.generators.trees.grow": "compiled kernels that call each other; apart they could not be read",
    "twinset.report.sections": "one function a section of the page",
}
FEWEST_TESTS = 150
PUBLIC: list[str] = [
    "Audit",
    "TwinsetError",
    "__version__",
    "ask",
    "audit",
    "check_generator",
    "combine",
    "infer",
    "load_study",
    "plugins",
    "release",
    "sweep",
    "synthesize",
]
RANDOM_PIECES = {"default_rng", "Generator", "PCG64", "SeedSequence", "BitGenerator"}


def test_public_names() -> None:
    assert sorted(twinset.__all__) == sorted(PUBLIC)
    assert len(twinset.__all__) <= 15
    for name in twinset.__all__:
        assert getattr(twinset, name) is not None


def test_functions_are_short() -> None:
    """Docstrings do not count."""
    long = []
    for module, path in modules().items():
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.FunctionDef):
                first = node.body[1] if ast.get_docstring(node) and len(node.body) > 1 else node.body[0]
                lines = (node.end_lineno or 0) - first.lineno + 1 + (node.body[0].lineno - node.lineno)
                if lines > LONGEST_FUNCTION and f"{module}.{node.name}" not in LONG_FUNCTIONS:
                    long.append(f"{module}.{node.name}: {lines}")
    assert not long, "\n".join(long)


def test_files_are_short() -> None:
    long = {m: n for m, path in modules().items() if (n := len(path.read_text(encoding="utf-8").splitlines())) > LONGEST_FILE}
    assert set(long) <= set(LONG_FILES), long


def test_files_are_named_for_what_they_hold() -> None:
    assert not [m for m in modules() if re.search(r"(^|[._])(utils?|helpers?|misc|common|base|manager)$", m)]
    names = [n.name for p in modules().values() for n in ast.walk(tree(p)) if isinstance(n, ast.ClassDef)]
    assert not [n for n in names if re.search(r"(Base|Manager|Helper|Abstract)$|^(Base|Abstract)", n)]


def test_only_the_vault_touches_its_rows() -> None:
    found = _nodes(ast.Attribute, lambda n: n.attr == "_rows")
    assert set(found) <= {"twinset.dp.vault"}


def test_no_pickle() -> None:
    unsafe = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "skops"}
    assert not {m: external(p) & unsafe for m, p in modules().items() if external(p) & unsafe}
    assert not _nodes(ast.keyword, lambda n: n.arg == "allow_pickle" and not (isinstance(n.value, ast.Constant) and n.value.value is False))
    assert not _nodes(ast.Call, lambda n: dotted(n.func) in {"eval", "exec"})


def test_no_broad_except() -> None:
    def broad(handler: ast.ExceptHandler) -> bool:
        kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
        raised_again = isinstance(handler.body[-1], ast.Raise) and handler.body[-1].exc is None
        return not raised_again and any(k is None or dotted(k) in {"Exception", "BaseException"} for k in kinds)

    assert not _nodes(ast.ExceptHandler, broad)


def test_no_hasattr_and_no_open_keywords() -> None:
    assert not _nodes(ast.Call, lambda n: dotted(n.func) == "hasattr")
    public = _nodes(ast.FunctionDef, lambda n: n.args.kwarg is not None and not n.name.startswith("_"))
    assert not public


def test_randomness_is_passed_in() -> None:
    """No global generator, no unseeded one, no ``random`` module."""
    assert not [m for m, p in modules().items() if "random" in external(p)]

    def stray(node: ast.Attribute) -> bool:
        name = dotted(node)
        return name.startswith(("np.random.", "numpy.random.")) and name.rpartition(".")[2] not in RANDOM_PIECES

    assert not _nodes(ast.Attribute, stray)
    assert not _nodes(ast.Call, lambda n: dotted(n.func).endswith("random.default_rng") and not n.args and not n.keywords)


def test_nothing_speaks_to_the_network() -> None:
    wires = {"requests", "httpx", "urllib3", "aiohttp", "socket", "ftplib", "smtplib", "telemetry"}
    assert not {m: external(p) & wires for m, p in modules().items() if external(p) & wires}


def test_everything_public_says_what_it_is() -> None:
    """Modules, public functions, and the plug-ins of every table. (A small noun may be explained by its module.)"""
    silent = [m for m, path in modules().items() if not ast.get_docstring(tree(path))]
    for module, path in modules().items():
        public = [n for n in tree(path).body if isinstance(n, ast.FunctionDef) and not n.name.startswith("_")]
        silent += [f"{module}.{n.name}" for n in public if not ast.get_docstring(n)]
    plug_ins = [target.replace(":", ".") for table in (GENERATORS, FIDELITY, ENDPOINTS, PRIVACY, ATTACKS) for target in table.table.values()]
    classes = {f"{m}.{n.name}": n for m, p in modules().items() for n in tree(p).body if isinstance(n, ast.ClassDef)}
    silent += [t for t in plug_ins if t in classes and not ast.get_docstring(classes[t])]
    assert not silent, "\n".join(silent)


def test_no_message_cites_a_file_that_is_not_installed() -> None:
    """The pages of documentation lie in the repository, not in the package. Docstrings may name them."""
    cited = []
    for module, path in modules().items():
        root = tree(path)
        documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
        texts = {id(n.body[0].value) for n in ast.walk(root) if isinstance(n, documented) and n.body and isinstance(n.body[0], ast.Expr)}
        constants = [n for n in ast.walk(root) if isinstance(n, ast.Constant) and isinstance(n.value, str) and id(n) not in texts]
        cited += [f"{module}: {n.value[:60]}" for n in constants if re.search(r"\bdocs/[a-z-]+\.md", n.value)]
    assert not cited, "\n".join(cited)


def test_no_path_of_a_machine() -> None:
    marks = ["/" + "work/", "/" + "home/", "/" + "root/", "/" + "Users/", "C:" + "\\\\Users"]
    found = []
    for path in _committed_text():
        text = path.read_text(encoding="utf-8", errors="ignore")
        found += [f"{path.relative_to(ROOT)}: {m}" for m in marks if m in text]
    assert not found, "\n".join(found)


def test_number_of_tests() -> None:
    """A floor: tests do not disappear unnoticed. Raise it when many are added."""
    count = 0
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        count += sum(isinstance(n, ast.FunctionDef) and n.name.startswith("test_") for n in ast.walk(tree(path)))
    assert count >= FEWEST_TESTS


def test_the_rules_see_faults(tmp_path: Path) -> None:
    """The checks above can fail: a file that breaks rules is seen."""
    bad = tmp_path / "bad.py"
    bad.write_text("import random\nimport numpy as np\ntry:\n    np.random.seed(1)\nexcept Exception:\n    x._rows\n")
    walked = list(ast.walk(tree(bad)))
    assert "random" in external(bad)
    assert any(isinstance(n, ast.Attribute) and dotted(n) == "np.random.seed" for n in walked)
    assert any(isinstance(n, ast.Attribute) and n.attr == "_rows" for n in walked)
    assert any(isinstance(n, ast.ExceptHandler) and n.type is not None and dotted(n.type) == "Exception" for n in walked)


def _nodes(kind: type, wanted) -> list[str]:  # type: ignore[no-untyped-def]
    """Modules that hold such a node, once per node."""
    return [m for m, path in modules().items() for n in ast.walk(tree(path)) if isinstance(n, kind) and wanted(n)]


def _committed_text() -> list[Path]:
    inside = [p for folder in ("src", "tests", "bench", "docs", ".ci") for p in sorted((ROOT / folder).rglob("*"))]
    kinds = {".py", ".md", ".toml", ".txt", ".html", ".css", ".json", ".svg", ""}
    inside += [*sorted(ROOT.glob("*.*")), ROOT / "Makefile"]
    return [p for p in inside if p.is_file() and p.suffix in kinds and "egg-info" not in str(p) and "__pycache__" not in str(p)]


def test_source_is_where_the_tests_think() -> None:
    assert Path(inspect.getfile(twinset)).resolve().parent == PACKAGE
