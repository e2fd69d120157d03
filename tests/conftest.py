"""Fixtures for all tests; no test reaches beyond this machine."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

import pytest

from armap.llms.vllm_engine import VLLMConfig, VLLMModel
from tests.tiny_models import save_tiny_llama

T = TypeVar("T")

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


@pytest.fixture(scope="session")
def official_data() -> Path:
    """The originals' own data files; never part of the repository."""
    default = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("ARMAP_DATA", default))
    if not folder.is_dir():
        pytest.skip(f"no official data at {folder}; set ARMAP_DATA")
    return folder


@dataclass(frozen=True)
class VLLMSession:
    """One engine for all tests, and the event loop in which it lives."""

    model: VLLMModel
    folder: Path
    runner: asyncio.Runner

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)


@pytest.fixture(scope="session")
def tiny_llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a random model."""
    return save_tiny_llama(tmp_path_factory.mktemp("tiny-llama"))


def small_vllm(folder: Path, **engine: Any) -> VLLMConfig:
    """An engine that is quick to start and fits beside others."""
    return VLLMConfig(
        model=str(folder),
        dtype="float32",
        gpu_memory_utilization=0.2,
        enforce_eager=True,
        engine={"kv_cache_memory_bytes": 2**29, "use_tqdm_on_load": False, **engine},
    )


@pytest.fixture(scope="session")
def vllm_here() -> Iterator[None]:
    """Skip where vLLM is not installed; keep it on this machine where it is."""
    if find_spec("vllm") is None:
        pytest.skip("vLLM is not installed: pip install 'armap[vllm]'")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VLLM_HOST_IP", "127.0.0.1")
        yield


@pytest.fixture(scope="session")
def vllm_session(vllm_here: None, tiny_llama: Path) -> Iterator[VLLMSession]:
    """A model whose engine starts at the first call, once for all tests."""
    with asyncio.Runner() as runner:
        model = VLLMModel(small_vllm(tiny_llama))
        yield VLLMSession(model, tiny_llama, runner)
        runner.run(model.close())
        runner.run(model.close())
