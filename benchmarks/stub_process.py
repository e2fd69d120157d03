"""The stub server as a process beside a measurement, on a core of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

__all__ = ["ROOT", "Cores", "Stub", "cores", "pin", "stub_process"]

ROOT = Path(__file__).resolve().parents[1]


class Cores(NamedTuple):
    """Where the two sides of a measurement run; None for anywhere."""

    client: int | None
    server: int | None


@dataclass(frozen=True, slots=True)
class Stub:
    """A running stub server."""

    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def stats(self) -> dict[str, Any]:
        """What it has counted so far; ``cpu_s`` is all the time it has computed."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/stats") as answer:
            counted: dict[str, Any] = json.load(answer)
            return counted


def cores() -> Cores:
    """One core for the client and one for the server, where there are two."""
    free = sorted(os.sched_getaffinity(0))
    return Cores(free[0], free[1]) if len(free) > 1 else Cores(None, None)


def pin(pid: int, core: int | None) -> None:
    """Keep a process on one core; 0 is this process."""
    if core is not None:
        os.sched_setaffinity(pid, {core})


@contextmanager
def stub_process(options: Sequence[str], core: int | None) -> Generator[Stub, None, None]:
    """Run the stub server with these options while the block lasts."""
    command = [sys.executable, "-m", "tests.stub", "--with-parent", *options]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        pin(process.pid, core)
        try:
            assert process.stdout is not None
            words = process.stdout.readline().split()
            if words[:2] != ["listening", "on"]:
                raise RuntimeError(f"the stub did not start: {' '.join(command)}")
            yield Stub(int(words[2]))
        finally:
            process.terminate()
