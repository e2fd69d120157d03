"""One measured client in a process of its own; ``call_path.py`` starts it and reads its line.

Every client asks for the same: one hundred Game of 24 prompts over and over, one reply a call.
It must import under another Python too, one that has the peers but not armap.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

MAX_TOKENS = 64
PEERS = ("its_hub", "openai")
BATCH = 8
"""Calls per question of its_hub's Best-of-N, which has no single call."""


@dataclass(frozen=True, slots=True)
class Client:
    """Something that makes calls."""

    ask: Callable[[int], Awaitable[object]]
    """Make the calls of question ``index``."""
    close: Callable[[], Awaitable[None]]
    batch: int = 1
    """Calls a question takes."""


def prompt(index: int) -> str:
    """One of a hundred puzzles, as the environment would put it."""
    place = index % 100
    numbers = f"{1 + place % 10} {4 + place // 10} 6 {3 + place % 7}"
    return f"Make 24 from {numbers}.\nLeft: {numbers}"


def body(index: int) -> dict[str, Any]:
    """The request that ``bare`` sends; the others send what amounts to it."""
    return {
        "model": "stub",
        "messages": [{"role": "user", "content": prompt(index)}],
        "temperature": 1.0,
        "top_p": 1.0,
        "max_tokens": MAX_TOKENS,
        "seed": index,
        "n": 1,
    }


async def bare_client(url: str, cap: int) -> Client:
    """What can be had: aiohttp, a semaphore, and nothing else."""
    import aiohttp

    session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
    slots = asyncio.Semaphore(cap)

    async def ask(index: int) -> object:
        async with slots, session.post(f"{url}/chat/completions", json=body(index)) as response:
            response.raise_for_status()
            return (await response.json())["choices"][0]["message"]["content"]

    return Client(ask, session.close)


async def armap_client(url: str, cap: int) -> Client:
    """The call path of armap as a run puts it together, journal and accounting on."""
    from armap.calls import Budget, BudgetConfig, Journal, Prices, Recorded
    from armap.cli.stages import spare_the_collector
    from armap.llms.openai import OpenAIConfig, OpenAIModel
    from armap.types import Message, Sampling

    spare_the_collector()
    folder = tempfile.TemporaryDirectory()
    journal = Journal(Path(folder.name) / "calls.jsonl")
    model = Recorded(
        OpenAIModel(OpenAIConfig(base_url=url, model="stub", concurrency=cap)),
        journal,
        budget=BudgetConfig(run=Budget(calls=10**9, dollars=1e6)),
        prices=Prices(input=1.0, output=2.0),
    )

    async def ask(index: int) -> object:
        messages = [Message(role="user", content=prompt(index))]
        sampling = Sampling(temperature=1.0, max_tokens=MAX_TOKENS, seed=index)
        return await model.complete(messages, sampling)

    async def close() -> None:
        await model.close()
        journal.close()
        folder.cleanup()

    return Client(ask, close)


async def openai_client(url: str, cap: int) -> Client:
    """The OpenAI SDK with a semaphore, its own retries off."""
    from openai import AsyncOpenAI  # type: ignore[import-not-found]  # a peer, not ours to have

    sdk = AsyncOpenAI(base_url=url, api_key="none", max_retries=0)
    slots = asyncio.Semaphore(cap)

    async def ask(index: int) -> object:
        async with slots:
            return await sdk.chat.completions.create(**body(index))

    return Client(ask, sdk.close)


async def its_hub_client(url: str, cap: int) -> Client:
    """its_hub's Best-of-N, eight replies a question, with a scorer that costs nothing."""
    from its_hub import LMOrchestrator  # type: ignore[import-not-found]  # a peer

    model, search = _its_hub(url, LMOrchestrator(max_concurrency=cap))

    async def ask(index: int) -> object:
        return await search.ainfer(model, prompt(index), BATCH)

    return Client(ask, model.close, BATCH)


def _its_hub(url: str, orchestrator: Any) -> tuple[Any, Any]:
    """A model and a Best-of-N of its_hub; None for its default orchestrator."""
    from its_hub import AbstractOutcomeRewardModel, BestOfN, OpenAICompatibleLanguageModel

    class Brevity(AbstractOutcomeRewardModel):  # type: ignore[misc]  # untyped
        def score(self, messages: Any, **_: Any) -> Any:
            return [-float(len(turns[-1].content)) for turns in messages]

        async def ascore(self, messages: Any, orchestrator: Any = None, **_: Any) -> Any:
            del orchestrator
            return self.score(messages)

    model = OpenAICompatibleLanguageModel(
        url, api_key="none", model_name="stub", max_completion_tokens=MAX_TOKENS, temperature=1.0
    )
    return model, BestOfN(Brevity(), orchestrator)


CLIENTS = {
    "bare": bare_client,
    "armap": armap_client,
    "its_hub": its_hub_client,
    "openai": openai_client,
}


def memory_mb() -> float:
    """Most memory this process has held: not its parent's, as ``ru_maxrss`` may be."""
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("/proc/self/status does not tell VmHWM")


def computed_s() -> float:
    """Seconds this process has computed, in the system's name too."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def measure(name: str, url: str, cap: int, calls: int) -> dict[str, Any]:
    """Make ``calls`` calls after one question to warm up, and say what they took."""
    client = await CLIENTS[name](url, cap)
    questions = max(1, calls // client.batch)
    try:
        await client.ask(questions)
        computed, begun = computed_s(), time.perf_counter()
        await asyncio.gather(*map(client.ask, range(questions)))
        wall, computed = time.perf_counter() - begun, computed_s() - computed
    finally:
        await client.close()
    made = questions * client.batch
    return {
        "calls": made,
        "wall_s": wall,
        "calls_per_s": made / wall,
        "cpu_ms_per_call": computed / made * 1e3,
        "rss_mb": memory_mb(),
    }


async def budget(name: str, url: str, size: int) -> dict[str, Any]:
    """One question with ``size`` candidates, everything else as the library has it."""
    begun = time.perf_counter()
    if name == "its_hub":
        model, search = _its_hub(url, None)
        await search.ainfer(model, prompt(0), size)
        await model.close()
    else:
        from armap.llms.openai import OpenAIConfig

        client = await CLIENTS[name](url, OpenAIConfig(model="stub").concurrency)
        await asyncio.gather(*map(client.ask, range(size)))
        await client.close()
    return {"wall_s": time.perf_counter() - begun}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("client", choices=list(CLIENTS))
    options.add_argument("--url", required=True)
    options.add_argument("--cap", type=int, default=32)
    options.add_argument("--calls", type=int, default=800)
    options.add_argument("--budget", type=int, default=0, help="one question of so many instead")
    given = options.parse_args()
    work = (
        budget(given.client, given.url, given.budget)
        if given.budget
        else measure(given.client, given.url, given.cap, given.calls)
    )
    try:
        line = asyncio.run(work)
    except ImportError as error:
        if given.client not in PEERS:
            raise
        line = {"absent": f"{sys.executable}: {error}"}
    print(json.dumps(line))


if __name__ == "__main__":
    main()
