"""CPU seconds and memory of processes, from the operating system's own accounting; buffers from PostgreSQL."""

from __future__ import annotations

import os
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
PAGE_KIB = os.sysconf("SC_PAGE_SIZE") // 1024


def _stat(pid: int) -> list[str]:
    text = Path(f"/proc/{pid}/stat").read_text()
    return text[text.rindex(")") + 2 :].split()


def children(pid: int) -> list[int]:
    """Process ids of the living descendants of a process."""
    found, frontier = [], [pid]
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents.setdefault(int(_stat(int(entry.name))[1]), []).append(int(entry.name))
            except (OSError, ValueError):
                continue
    while frontier:
        frontier = [child for parent in frontier for child in parents.get(parent, [])]
        found.extend(frontier)
    return found


def cpu_seconds(pid: int) -> float:
    """User and system seconds of a process, its living descendants and its reaped children."""
    total = 0.0
    for one in [pid, *children(pid)]:
        try:
            fields = _stat(one)
        except OSError:
            continue
        total += sum(int(fields[i]) for i in (11, 12, 13, 14)) / TICKS
    return total


def resident_mib(pid: int) -> float:
    """Resident memory of one process in MiB."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_KIB / 1024


def postmaster_pid(data_directory: str) -> int:
    """Process id of the server that runs on a data directory."""
    return int((Path(data_directory) / "postmaster.pid").read_text().split()[0])
