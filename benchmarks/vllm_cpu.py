"""The parts of benchmarks/vllm_cpu.sh: the model, the measurement, the table.

``vllm_cpu.py model FOLDER``, ``vllm_cpu.py measure KIND WHERE`` (one line of JSON a pass) and
``vllm_cpu.py table FILE``.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from importlib.metadata import version
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

from armap.llms.openai import OpenAIConfig, OpenAIModel
from armap.llms.vllm_engine import VLLMConfig, VLLMModel
from armap.types import Message, Sampling, Usage
from benchmarks.table import machine
from tests.tiny_models import save_tiny_llama

if TYPE_CHECKING:
    from armap.protocols import ChatModel

DIALOGUES, TURNS, PASSES, MAX_TOKENS = 64, 5, 3, 64
SYSTEM = (
    "You act in a house of many rooms. Look around, open the doors, take the keys. "
    "Reply with one action in one line, and think about what you have seen so far. "
) * 4
KINDS = {
    "openai": "`kind: openai`, vLLM's own server",
    "vllm": "`kind: vllm`, in process",
    "vllm-uncached": "the same, no prefix cache",
}


def make(kind: str, where: str) -> ChatModel:
    """The model to measure; ``where`` is the server's address or the model's folder."""
    if kind == "openai":
        known = OpenAIConfig.model_fields
        settings: dict[str, Any] = {"concurrency": DIALOGUES} if "concurrency" in known else {}
        return OpenAIModel(OpenAIConfig(base_url=f"{where}/v1", model="tiny", **settings))
    return VLLMModel(
        VLLMConfig(
            model=where,
            dtype="float32",
            enforce_eager=True,
            enable_prefix_caching=kind == "vllm",
            engine={"kv_cache_memory_bytes": 2**30, "use_tqdm_on_load": False},
        )
    )


async def play(model: ChatModel, name: str, *, dialogues: int) -> Usage:
    """Hold dialogues of growing length, one call of each in flight all the time."""

    async def hold(index: int) -> Usage:
        opening = f"House {name}, visitor {index}. You stand in the hall; there are two doors."
        messages = [
            Message(role="system", content=SYSTEM),
            Message(role="user", content=opening),
        ]
        spent = Usage()
        for turn in range(TURNS):
            seed = 1000 * index + turn
            sampling = Sampling(temperature=1.0, max_tokens=MAX_TOKENS, seed=seed)
            reply = await model.complete(messages, sampling)
            spent += reply.usage
            seen = f"You did that. Room {turn} of {index} has a table, a lamp and a chest."
            messages += [
                Message(role="assistant", content=reply.texts[0]),
                Message(role="user", content=seen),
            ]
        return spent

    return sum(await asyncio.gather(*map(hold, range(dialogues))), Usage())


def server_hits(where: str) -> int:
    """Prompt tokens that the server has found cached so far, by its own count."""
    with urlopen(f"{where}/metrics") as reply:
        text = reply.read().decode()
    return int(sum(map(float, re.findall(r"^vllm:prefix_cache_hits_total\S* (\S+)", text, re.M))))


async def measure(kind: str, where: str) -> None:
    """One line of JSON for each pass; the first call and a short dialogue come before them."""
    model = make(kind, where)
    try:
        began = perf_counter()
        await model.complete([Message(role="user", content="Hello.")], Sampling(max_tokens=1))
        start = perf_counter() - began
        await play(model, "warm", dialogues=4)
        for number in range(PASSES):
            before = server_hits(where) if kind == "openai" else 0
            began = perf_counter()
            spent = await play(model, str(number), dialogues=DIALOGUES)
            seconds = perf_counter() - began
            counted = server_hits(where) - before if kind == "openai" else 0
            row = {
                "kind": kind,
                "pass": number,
                "first_call_seconds": round(start, 1),
                "seconds": round(seconds, 2),
                "calls": spent.calls,
                "prompt_tokens": spent.prompt_tokens,
                "cached_tokens": spent.cached_tokens or counted,
                "cached_by": "usage" if spent.cached_tokens or not counted else "/metrics",
                "completion_tokens": spent.completion_tokens,
                "tokens_per_second": round(spent.completion_tokens / seconds),
            }
            print(json.dumps(row), flush=True)
    finally:
        await model.close()


def table(path: Path) -> None:
    """The medians in Markdown, then the lines themselves."""
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    names = ("vllm-cpu", "torch", "transformers")
    print("# vLLM on a CPU, a random model of 1.3 million parameters\n")
    print("Command: `benchmarks/vllm_cpu.sh`. The numbers compare ways to vLLM, not models.")
    print(f"Machine: {machine()}. " + ", ".join(f"{name} {version(name)}" for name in names) + ".")
    print(
        f"{DIALOGUES} dialogues at once, {TURNS} turns each, replies of up to {MAX_TOKENS} tokens;"
    )
    print(f"medians of {PASSES} passes, the range in brackets.\n")
    print("| | tokens/s | seconds | prompt tokens | of them cached |")
    print("|---|---|---|---|---|")
    for kind, title in KINDS.items():
        own = [row for row in rows if row["kind"] == kind]
        speed = [row["tokens_per_second"] for row in own]
        rate = median(row["cached_tokens"] / row["prompt_tokens"] for row in own)
        print(
            f"| {title} | {median(speed):,.0f} ({min(speed):,} to {max(speed):,}) "
            f"| {median(row['seconds'] for row in own):.1f} "
            f"| {median(row['prompt_tokens'] for row in own):,.0f} | {rate:.1%} |"
        )
    print("\n```json")
    print(path.read_text().strip())
    print("```")


def main() -> None:
    match sys.argv[1:]:
        case ["model", folder]:
            save_tiny_llama(Path(folder))
        case ["measure", kind, where]:
            asyncio.run(measure(kind, where))
        case ["table", file]:
            table(Path(file))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
