"""What tests of ScienceWorld share; without Java or the simulator they skip, and say so."""

from __future__ import annotations

import os
import shutil
import time
from importlib.util import find_spec
from pathlib import Path

import pytest

from armap.envs.scienceworld.catalogue import find
from armap.envs.scienceworld.env import ScienceWorldConfig
from armap.types import Task

_MISSING = (
    "the simulator is not installed: pip install 'armap[scienceworld]'"
    if find_spec("scienceworld") is None
    else "there is no Java: apt install default-jre-headless"
    if shutil.which("java") is None
    else ""
)

needs_java = pytest.mark.skipif(bool(_MISSING), reason=_MISSING)

QUICK = ScienceWorldConfig(protocol="native", jvms=1)


def make_task(name: str, variation: int, **setup: int) -> Task:
    chosen = find(name, variation)
    return Task(
        env="scienceworld",
        name=chosen.name,
        split="train",
        instruction="Do what the simulator asks for.",
        setup={"task": chosen.kind.name, "variation": variation, **setup},
    )


def gone(pid: int, within: float = 10.0) -> bool:
    """Whether a process ends within so many seconds; a zombie has ended."""
    until = time.monotonic() + within
    while time.monotonic() < until:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z":
                return True
            os.kill(pid, 0)
        except (ProcessLookupError, FileNotFoundError):
            return True
        time.sleep(0.05)
    return False
