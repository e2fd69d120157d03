"""The stub as a process: ``python -m tests.stub --help``."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import sys

from tests.stub.replies import WRITERS
from tests.stub.server import StubServer
from tests.stub.settings import REFUSABLE, Fault, Settings


def parser() -> argparse.ArgumentParser:
    """Every setting as an option; times in milliseconds where the name says so."""
    options = argparse.ArgumentParser(
        prog="python -m tests.stub", description="A stub of an OpenAI-compatible server."
    )
    add = options.add_argument
    add("--port", type=int, default=0, help="0: any free one")
    add("--with-parent", action="store_true", help="end when standard input ends")
    add("--latency-ms", type=float, default=0.0)
    add("--jitter-ms", type=float, default=0.0, help="at most so much more")
    add("--replies", choices=list(WRITERS), default="echo")
    add("--seed", type=int, default=0, help="of faults and jitter")
    _add_faults(options)
    _add_limits(options)
    return options


def _add_faults(options: argparse.ArgumentParser) -> None:
    add = options.add_argument
    add("--faults", type=float, default=0.0, help="share of attempts that meet a fault")
    add("--kinds", default=",".join(Fault), help="faults to mix (default: %(default)s)")
    add("--poison", default="", help="prompts that contain this always get status 500")
    add("--retry-after", type=float, default=0.1, help="seconds, with status 429")
    add("--hang", type=float, default=3600.0, help="seconds that a timeout lasts")
    add("--drip-ms", type=float, default=20.0, help="pause between the pieces of a drip")
    add("--pieces", type=int, default=8, help="how many pieces that are")


def _add_limits(options: argparse.ArgumentParser) -> None:
    add = options.add_argument
    add("--no-n", action="store_true", help="ignore n: one choice")
    add("--refuse", action="append", default=[], choices=REFUSABLE, help="status 400 for it")
    add("--api-key", default="", help="status 401 for any other")
    add("--model", default="", help="status 404 for any other")
    add("--context", type=int, default=0, help="tokens of prompt and reply; 0: no limit")
    add("--rate", type=int, default=0, help="requests in flight before status 429; 0: no limit")


def settings(given: argparse.Namespace) -> Settings:
    """The settings that a command line asks for."""
    return Settings(
        latency=given.latency_ms / 1e3,
        jitter=given.jitter_ms / 1e3,
        replies=given.replies,
        seed=given.seed,
        faults=given.faults,
        kinds=tuple(map(Fault, given.kinds.split(","))),
        poison=given.poison,
        retry_after=given.retry_after,
        hang=given.hang,
        drip=given.drip_ms / 1e3,
        pieces=given.pieces,
        single=given.no_n,
        refused=frozenset(given.refuse),
        api_key=given.api_key,
        model=given.model,
        context=given.context,
        concurrent=given.rate,
    )


async def serve(given: argparse.Namespace) -> None:
    """Serve until interrupted, or until standard input ends."""
    async with StubServer(settings(given), port=given.port, record=False) as stub:
        print(f"listening on {stub.port}", flush=True)  # noqa: T201  (its one line of output)
        gc.freeze()
        if given.with_parent:
            await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        else:
            await stub.serve_forever()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(parser().parse_args()))
