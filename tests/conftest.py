"""Fixtures for all tests; no test reaches beyond this machine."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")

_LOOPBACK = {"127.0.0.1", "::1", "localhost"}


@pytest.fixture(autouse=True)
def _loopback_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forbid every connection that leaves this machine."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        if isinstance(address, tuple) and address[0] not in _LOOPBACK:
            raise AssertionError(f"a test tried to connect to {address!r}")
        connect(self, address)  # type: ignore[arg-type]  # as the caller gave it

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """Torch with one thread: on a shared machine more threads wait for each other."""
    os.environ["OMP_NUM_THREADS"] = "1"


@pytest.fixture(scope="session")
def goldens() -> Path:
    """Recorded behaviour of the originals; never part of the repository."""
    default = Path(__file__).parents[2] / "shared" / "goldens"
    folder = Path(os.environ.get("ARMAP_GOLDENS", default))
    if not folder.is_dir():
        pytest.skip(f"no goldens at {folder}; set ARMAP_GOLDENS")
    return folder
