"""The shape of the tree: who imports whom, where time and chance may enter, and what no file may hold.

The import contracts themselves stand in pyproject.toml and are checked by `make lint`; here they are read once more
straight from the source text, by other means, together with what import-linter cannot say.
"""

from __future__ import annotations

import ast
import fnmatch
import functools
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("specs", "host", "terminal_sim")
FOLDERS = {*PACKAGES, "tests", "docs", ".ci"}
FILE_BYTES_MAX = 5_000_000  # nothing in the tree comes near; a file this long would be a mistake of its own

# What `specs` may not import: it holds values and functions, with no line, store, clock, chance or other process.
IMPURE_MODULES = {
    *(
        "socket",
        "ssl",
        "select",
        "selectors",
        "socketserver",
        "http",
        "urllib.request",
        "httpx",
        "fastapi",
        "starlette",
    ),
    *("asyncio", "threading", "multiprocessing", "concurrent", "subprocess", "signal", "uvloop"),
    *("time", "sched", "random", "secrets", "uuid"),
    *("sqlite3", "sqlalchemy", "psycopg", "shelve", "dbm", "tempfile", "logging", "structlog"),
}

# A key for a cache of cipher contexts, which OpenSSL does not share between threads; it starts none and waits for none.
PURE_ALL_THE_SAME = {"threading", "threading.get_ident"}

# Time, chance and identity are arguments. These names make them out of nothing; only the modules below may.
AMBIENT = {
    *("datetime.datetime.now", "datetime.datetime.utcnow", "datetime.datetime.today", "datetime.date.today"),
    *("time.time", "time.time_ns", "time.localtime", "time.gmtime", "time.ctime", "time.strftime"),
    *("os.urandom", "random.SystemRandom"),
}
AMBIENT_MODULES = {"random", "secrets", "uuid"}  # every function of these, apart from:
SEEDED = {"random.Random", "uuid.UUID", "uuid.uuid3", "uuid.uuid5"}  # their result follows from their arguments
SOURCES_OF_TIME_AND_CHANCE = {"host/clock.py", "host/chance.py", "terminal_sim/clock.py"}

FORBIDDEN_TEXT = {
    "the address of a package registry": re.compile(
        r"\b(?:pypi|pythonhosted|npmjs)\.(?:org|com|io)\b|https?://\S*(?:/simple\b|pypi|npmjs)"
    ),
    "a choice of package registry": re.compile(r"--(?:extra-)?index-url\b|--find-link[s]"),
    "a path of one machine": re.compile(r"(?<![\w.])/(?:home|root|Users)/\w|C:\\{1,2}Users\\|(?<![\w.])/work/\w"),
    "a path out of the tree": re.compile(r"\.\./shared\b"),
}


# ---- reading the tree


def _ignored() -> list[str]:
    lines = (ROOT / ".gitignore").read_text(encoding="utf8").splitlines()
    return [".git", *(line.strip().strip("/") for line in lines if line.strip() and not line.startswith("#"))]


@functools.cache
def _strangers() -> frozenset[str]:
    """Names at the top that git does not track: a user's own terminals and stores are no part of the tree.

    Outside a git checkout (an unpacked archive) everything counts.
    """
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    tracked = {line.partition("/")[0] for line in listed.stdout.splitlines()}
    return frozenset(p.name for p in ROOT.iterdir() if p.name not in tracked) if tracked else frozenset()


def _files(folder: Path) -> Iterator[Path]:
    """Every file below the folder that git would not ignore."""
    patterns = _ignored() + (sorted(_strangers()) if folder == ROOT else [])
    for path in sorted(folder.iterdir()):
        if any(fnmatch.fnmatch(path.name, pattern) for pattern in patterns):
            continue
        if path.is_dir() and not path.is_symlink():
            yield from _files(path)
        elif path.is_file():
            yield path


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _modules(package: str) -> list[Path]:
    return [path for path in _files(ROOT / package) if path.suffix == ".py"]


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf8"), filename=_name(path))


def _dotted(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


# ---- reading one module


def imports(tree: ast.AST, module: str, *, is_package: bool = False) -> set[str]:
    """Dotted names of all that is imported anywhere in the tree, functions included; relative ones made absolute."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = module.split(".")
            anchor = parts[: len(parts) - node.level + is_package] if node.level else []
            source = ".".join([*anchor, *([node.module] if node.module else [])])
            found.update({source, *(f"{source}.{alias.name}" for alias in node.names)})
    return found


def _imports_of(path: Path) -> set[str]:
    return imports(_tree(path), _dotted(path), is_package=path.name == "__init__.py")


def _within(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def ambient_uses(tree: ast.AST) -> list[str]:
    """«line: name» of every use of a clock, of chance, or of a fresh identity, whatever its import calls it."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update({a.asname: a.name for a in node.names if a.asname})
            names.update({a.name.split(".")[0]: a.name.split(".")[0] for a in node.names if not a.asname})
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.update({a.asname or a.name: f"{node.module}.{a.name}" for a in node.names})

    def resolve(node: ast.AST) -> str | None:
        if isinstance(node, ast.Name):
            return names.get(node.id)
        if isinstance(node, ast.Attribute) and (owner := resolve(node.value)):
            return f"{owner}.{node.attr}"
        return None

    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and resolve(node.func) == "random.Random" and not (node.args or node.keywords):
            found.add(f"{node.lineno}: random.Random without a seed")
        if not isinstance(node, ast.Name | ast.Attribute) or not (used := resolve(node)):
            continue
        module = used.partition(".")[0]
        if used in AMBIENT or (module in AMBIENT_MODULES and used.count(".") == 1 and used not in SEEDED):
            found.add(f"{node.lineno}: {used}")
    return sorted(found)


# ---- the readers above, tried on text whose answer is known


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import host", {"host"}),
        ("import host.engine.decide as d", {"host.engine.decide"}),
        ("from host import cli", {"host", "host.cli"}),
        ("def f():\n    from terminal_sim.lab import demo", {"terminal_sim.lab", "terminal_sim.lab.demo"}),
        ("from . import flash", {"terminal_sim", "terminal_sim.flash"}),
        ("from .flash import Flash", {"terminal_sim.flash", "terminal_sim.flash.Flash"}),
        ("if TYPE_CHECKING:\n    import socket", {"socket"}),
        ("x = 'import host'", set()),
    ],
)
def test_the_reader_of_imports_finds_them_wherever_they_stand(source: str, expected: set[str]) -> None:
    assert imports(ast.parse(source), "terminal_sim.cli") == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("from datetime import datetime\nx = datetime.now()", ["2: datetime.datetime.now"]),
        ("import datetime as d\nx = d.datetime.now(d.UTC)", ["2: datetime.datetime.now"]),
        ("from datetime import date as D\nx = D.today()", ["2: datetime.date.today"]),
        ("import time\ntime.time()", ["2: time.time"]),
        ("from time import time as t\nt()", ["2: time.time"]),
        ("import uuid\nfield(default_factory=uuid.uuid4)", ["2: uuid.uuid4"]),
        ("import secrets\nsecrets.token_bytes(8)", ["2: secrets.token_bytes"]),
        ("from random import randint\nrandint(1, 6)", ["2: random.randint"]),
        ("import random\nrandom.Random()", ["2: random.Random without a seed"]),
        ("import random\nrandom.Random(7).random()", []),
        ("from datetime import datetime\ndatetime.fromisoformat(text)", []),
        ("import time\ntime.monotonic()", []),
        ("def f(clock):\n    return clock.now()", []),
    ],
)
def test_the_reader_of_clocks_and_chance_sees_through_aliases(source: str, expected: list[str]) -> None:
    assert ambient_uses(ast.parse(source)) == expected


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("https://py" + "pi.org/simple", "the address of a package registry"),
        ("http://10.0.0.1/mirror/sim" + "ple/", "the address of a package registry"),
        ("--extra-index" + "-url x", "a choice of package registry"),
        ("/ho" + "me/someone/closeout", "a path of one machine"),
        ("see ../sha" + "red/rules.md", "a path out of the tree"),
    ],
)
def test_the_patterns_of_forbidden_text_match_what_they_mean(text: str, what: str) -> None:
    assert FORBIDDEN_TEXT[what].search(text)


@pytest.mark.parametrize(
    "text",
    ["--no-emit-index-url", "tests/root/x", "http://127.0.0.1:8580/docs", "/api/v1/users/1", "http://www.apache.org/"],
)
def test_the_patterns_of_forbidden_text_leave_ordinary_text_alone(text: str) -> None:
    assert [what for what, pattern in FORBIDDEN_TEXT.items() if pattern.search(text)] == []


# ---- who imports whom


@pytest.mark.parametrize(("package", "never"), [("specs", "host"), ("specs", "terminal_sim"), ("host", "terminal_sim")])
def test_imports_go_one_way(package: str, never: str) -> None:
    breaches = [
        f"{_name(p)} imports {name}"
        for p in _modules(package)
        for name in sorted(_imports_of(p))
        if _within(name, never)
    ]
    assert breaches == []


def test_no_package_imports_the_tests() -> None:
    breaches = [
        f"{_name(path)} imports {name}"
        for package in PACKAGES
        for path in _modules(package)
        for name in sorted(_imports_of(path))
        if _within(name, "tests")
    ]
    assert breaches == []


def test_only_the_lab_of_all_terminal_sim_imports_the_host() -> None:
    breaches = [
        f"{_name(path)} imports {name}"
        for path in _modules("terminal_sim")
        if not _within(_dotted(path), "terminal_sim.lab")
        for name in sorted(_imports_of(path))
        if _within(name, "host")
    ]
    assert breaches == []


def test_only_the_command_line_loads_the_lab_and_only_inside_a_command() -> None:
    """A terminal that loads the lab when it starts has the host's code in its process: the two ends would be one."""
    breaches = []
    for path in _modules("terminal_sim"):
        if _within(_dotted(path), "terminal_sim.lab"):
            continue
        tree = _tree(path)
        if _within(_dotted(path), "terminal_sim.cli"):
            lazy = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
            for node in lazy:
                node.body = [ast.Pass()]
        loaded = imports(tree, _dotted(path), is_package=path.name == "__init__.py")
        breaches += [f"{_name(path)} loads {name}" for name in sorted(loaded) if _within(name, "terminal_sim.lab")]
    assert breaches == []


def test_specs_knows_no_line_store_clock_or_chance() -> None:
    modules = _modules("specs")
    assert modules, "specs/ is empty: this test would pass over nothing"
    breaches = []
    for path in modules:
        impure = {name for name in _imports_of(path) if any(_within(name, m) for m in IMPURE_MODULES)}
        if impure != PURE_ALL_THE_SAME:
            breaches += [f"{_name(path)} imports {name}" for name in sorted(impure)]
    assert breaches == []


def test_time_chance_and_identity_enter_at_the_clocks_only() -> None:
    """Any run can be replayed from one line only as long as nothing else asks the machine what time it is."""
    breaches = [
        f"{_name(path)}:{use}"
        for package in PACKAGES
        for path in _modules(package)
        if _name(path) not in SOURCES_OF_TIME_AND_CHANCE
        for use in ambient_uses(_tree(path))
    ]
    assert breaches == []


# ---- what stands in the tree


def test_the_list_of_folders_is_the_architecture() -> None:
    patterns = [*_ignored(), *_strangers()]
    folders = {p.name for p in ROOT.iterdir() if p.is_dir() and not any(fnmatch.fnmatch(p.name, x) for x in patterns)}
    assert folders - FOLDERS == set()
    assert set(PACKAGES) - folders == set()


def test_no_file_names_a_registry_or_a_machine() -> None:
    breaches, read = [], 0
    for path in _files(ROOT):
        assert path.stat().st_size <= FILE_BYTES_MAX, f"{_name(path)} is longer than {FILE_BYTES_MAX} bytes"
        try:
            text = path.read_text(encoding="utf8")
        except UnicodeDecodeError:
            continue  # a picture or a capture
        read += 1
        for number, line in enumerate(text.splitlines(), start=1):
            breaches += [
                f"{_name(path)}:{number}: {what}" for what, found in FORBIDDEN_TEXT.items() if found.search(line)
            ]
    assert read > 10
    assert breaches == []


def test_the_lock_files_pin_every_package_by_hash_and_agree() -> None:
    """`make test` after `make run` moves no version, and pip refuses a package that is not the locked one."""
    pins: list[dict[str, str]] = []
    for name in ("requirements.lock", "requirements-dev.lock"):
        entries = re.split(r"\n(?=\S)", (ROOT / name).read_text(encoding="utf8"))
        assert [entry.splitlines()[0] for entry in entries if "--hash=sha256:" not in entry] == []
        pins.append({e.partition("==")[0]: e.partition("==")[2].split()[0] for e in entries})
    runtime, dev = pins
    assert {"pyiso8583", "sqlalchemy", "uvloop", "hatchling"} <= runtime.keys()
    assert {name: dev.get(name) for name in runtime} == runtime
    assert "pytest" in dev
    assert "pytest" not in runtime
