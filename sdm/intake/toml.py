"""Plain data as TOML: what a mapping made on screen is kept as. Pure; :mod:`tomllib` only reads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def dump(plain: Mapping[str, Any]) -> str:
    """TOML of texts, numbers, booleans, lists of them and tables; empty values are left out."""
    return "\n".join(_table(plain, "")) + "\n"


def _table(plain: Mapping[str, Any], path: str) -> list[str]:
    lines = [f"{_key(key)} = {_value(value)}" for key, value in plain.items() if _is_plain(value)]
    for key, value in plain.items():
        if isinstance(value, Mapping) and value and not _is_inline(value):
            inner = f"{path}.{_key(key)}".lstrip(".")
            lines += ["", f"[{inner}]", *_table(value, inner)]
    return lines


def _is_inline(value: Any) -> bool:
    """A party such as { code = …, name = … } fits on a line."""
    return isinstance(value, Mapping) and set(value) == {"code", "name"}


def _is_plain(value: Any) -> bool:
    return _is_inline(value) or not (isinstance(value, Mapping) or value is None or value in ("", [], ()))


def _key(key: str) -> str:
    return key if key.replace("_", "").replace("-", "").isalnum() and key.isascii() else _value(key)


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(key)} = {_value(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_value(item) for item in value) + "]"
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
