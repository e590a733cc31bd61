"""Promises about the code itself that no tool checks."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from sdm.app import wiring
from sdm.kernel import checks, jobs

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("sdm", "branches", "inventory", "finance", "alerts")
FUNCTION_LINES_MAX = 50
Function = ast.FunctionDef | ast.AsyncFunctionDef


def sources() -> Iterator[Path]:
    for package in PACKAGES:
        yield from (ROOT / package).rglob("*.py")


def functions() -> Iterator[tuple[Path, Function]]:
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, Function):
                yield path, node


def lines_of(function: Function) -> int:
    """Lines from the name to the end, without the docstring."""
    documented = ast.get_docstring(function) is not None
    docstring = (function.body[0].end_lineno or 0) - function.body[0].lineno + 1 if documented else 0
    return (function.end_lineno or 0) - function.lineno + 1 - docstring


def test_no_function_is_longer_than_a_screen() -> None:
    long = [
        f"{path.relative_to(ROOT)}:{function.lineno} {function.name} ({lines_of(function)} lines)"
        for path, function in functions()
        if lines_of(function) > FUNCTION_LINES_MAX
    ]
    assert long == []


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in sources()
        if path.name != "__init__.py" and ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) is None
    ]
    assert silent == []


def test_everything_wired_exists_and_job_and_check_names_are_unique() -> None:
    wiring.import_models()
    for names in (wiring.JOBS, wiring.CHECKS, wiring.EVENT_READERS, wiring.DOCUMENT_KINDS, wiring.SHEETS):
        for name in names:
            assert wiring.resolve(name), name
    job_names = [spec.name for name in wiring.JOBS for spec in wiring.resolve(name)]
    check_codes = [check.code for name in wiring.CHECKS for check in wiring.resolve(name)]
    assert len(job_names) == len(set(job_names))
    assert len(check_codes) == len(set(check_codes))
    wiring.load()
    assert set(job_names) <= {spec.name for spec in jobs.registered()}
    assert set(check_codes) <= {check.code for check in checks.registered()}


def test_commands_of_the_command_line_have_different_names() -> None:
    names = [command.name for command in wiring.cli_groups()]
    assert len(names) == len(set(names))


def test_the_lock_pins_every_dependency_and_names_no_address() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="ascii").splitlines()
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+==[A-Za-z0-9.!+]+", line) for line in lock)
    pinned = {normal(line.partition("==")[0]) for line in lock}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    assert {normal(re.split(r"[\[<>=~!;]", name)[0]) for name in wanted} <= pinned


@pytest.mark.parametrize("name", ["package-lock.json", "pyproject.toml", "Makefile", ".ci/run"])
def test_no_build_file_names_a_registry(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert not re.search(r"(index-url|registry\.|\"resolved\")", text)


def normal(name: str) -> str:
    """A package's name as registries compare it."""
    return re.sub(r"[-_.]+", "-", name.strip()).lower()
