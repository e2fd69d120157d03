"""Whoever stops waiting does not wait for the model."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from armap.errors import ModelError
from armap.llms.local import LocalConfig, LocalModel
from armap.types import Completions, Message, Sampling
from tests.tiny_text import save_tiny_text

PROMPT = [Message(role="user", content="Go.")]
LONG = Sampling(temperature=9.0, n=64, max_tokens=450)
"""Many seconds of work, unless it is stopped."""


@pytest.fixture(scope="module", params=["llama", "mamba"])
def config(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> LocalConfig:
    """A model that never ends its replies, on our loop and on the library's."""
    folder = save_tiny_text(request.param, tmp_path_factory.mktemp(request.param))
    return LocalConfig(model=str(folder), exact=False)


async def begin(model: LocalModel) -> asyncio.Task[Completions]:
    """A long request that the worker is busy with."""
    task = asyncio.create_task(model.complete(PROMPT, LONG))
    await asyncio.sleep(0.3)
    assert not task.done()
    return task


def test_close_stops_between_two_tokens(config: LocalConfig) -> None:
    async def run() -> float:
        model = LocalModel(config)
        task = await begin(model)
        started = time.perf_counter()
        await model.close()
        with pytest.raises(ModelError, match="closed before it was answered"):
            await task
        with pytest.raises(ModelError):
            await model.complete(PROMPT, LONG)
        return started

    started = asyncio.run(run())
    for thread in threading.enumerate():
        if thread.name.startswith("armap-batch"):
            thread.join(1)
            assert not thread.is_alive()
    assert time.perf_counter() - started < 1


def test_a_batch_that_nobody_waits_for_is_dropped(config: LocalConfig) -> None:
    async def run() -> float:
        model = LocalModel(config)
        task = await begin(model)
        task.cancel()
        started = time.perf_counter()
        await model.complete(PROMPT, LONG.model_copy(update={"n": 1, "max_tokens": 2}))
        waited = time.perf_counter() - started
        assert task.cancelled()
        await model.close()
        return waited

    assert asyncio.run(run()) < 1


SCRIPT = """
import asyncio, atexit, sys
from armap.llms.local import LocalConfig, LocalModel
from armap.types import Message, Sampling

atexit.register(print, "bye", flush=True)  # after the threads have been joined

async def main():
    model = LocalModel(LocalConfig(model=sys.argv[1], exact=False))
    asked = asyncio.create_task(model.complete(
        [Message(role="user", content="Go.")], Sampling(temperature=9.0, n=64, max_tokens=450)
    ))
    await asyncio.sleep(0.3)
    print("busy", flush=True)
    await asked

asyncio.run(main())
"""


@pytest.mark.slow
def test_ctrl_c_ends_the_process(config: LocalConfig, tmp_path: Path) -> None:
    script = tmp_path / "ask.py"
    script.write_text(SCRIPT)
    command = [sys.executable, str(script), config.model]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"busy\n"
        started = time.perf_counter()
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == b"bye\n"
        assert time.perf_counter() - started < 2
        assert process.wait(60) != 0
