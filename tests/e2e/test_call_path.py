"""The call path in whole runs: faults, kills, budgets, replays, and every error a user can meet."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from asyncio.subprocess import PIPE
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from armap.calls import Journal, read_calls
from armap.llms.openai import OpenAIConfig
from armap.llms.openai.wire import body
from armap.storage import read_records
from armap.types import Plan
from tests.stub.ask import read_ask
from tests.stub.server import StubServer
from tests.stub.settings import Fault, Settings

ROOT = Path(__file__).parents[2]


def write_plan(folder: Path, url: str, **changes: Any) -> Path:
    """A Best-of-3 over 12 test puzzles with an endpoint."""
    llm = {
        "kind": "openai",
        "base_url": url,
        "model": "stub",
        "concurrency": 16,
        "timeout": 1.0,
        "retry": {"tries": 9, "wait": 0.02, "longest": 0.1},
        **changes.pop("llm", {}),
    }
    content = {
        "stage": "plan",
        "out": str(folder / "out"),
        "tasks": {"split": "test", "limit": 12},
        "llm": llm,
        "reward": {"kind": "brevity"},
        "planner": {"kind": "best_of_n", "n": 3},
        **changes,
    }
    path = folder / "plan.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


async def start(*arguments: object) -> asyncio.subprocess.Process:
    command = [sys.executable, "-m", "armap.cli.main", *map(str, arguments)]
    return await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=PIPE, stderr=PIPE)


async def armap(*arguments: object) -> tuple[int, str]:
    """Exit code, and what was written to standard error."""
    process = await start(*arguments)
    _, complaint = await asyncio.wait_for(process.communicate(), 120)
    assert process.returncode is not None
    return process.returncode, complaint.decode()


def with_stub(settings: Settings, scenario: Callable[[StubServer], Awaitable[None]]) -> None:
    async def run() -> None:
        async with StubServer(settings) as stub:
            await scenario(stub)

    asyncio.run(run())


def plans(folder: Path) -> dict[str, Plan]:
    return {plan.task.name: plan for plan in read_records(folder / "plans.jsonl", Plan)}


def answered(folder: Path) -> set[str]:
    """Identities, as the stub sees them, of the calls that the journal holds an answer to."""
    config = OpenAIConfig(model="stub")
    return {
        read_ask(body(config, prompt, call.sampling), {}).identity
        for call, prompt in read_calls(folder / "calls.jsonl")
        if call.reply is not None
    }


@pytest.mark.slow
@pytest.mark.parametrize("exchange", ["auto", "aiohttp"])
def test_faults_a_kill_and_a_poisoned_prompt_cost_nothing_twice(
    exchange: str, tmp_path: Path
) -> None:
    out = tmp_path / "out"

    async def scenario(stub: StubServer) -> None:
        tasks = {"split": "test", "limit": 40}
        path = write_plan(tmp_path, stub.url, tasks=tasks, llm={"exchange": exchange})
        process = await start("plan", "-c", path)
        until = time.monotonic() + 60
        while sum(stub.stats.successes.values()) < 150 and process.returncode is None:
            assert time.monotonic() < until
            await asyncio.sleep(0.005)
        os.kill(process.pid, signal.SIGKILL)
        await process.wait()
        known = answered(out)
        assert len(known) > 100
        code, complaint = await armap("plan", "-c", path)
        assert code == 1
        assert "1 of 40 tasks have no plan" in complaint
        assert {stub.stats.successes[identity] for identity in known} == {1}
        made = plans(out)
        assert len(made) == 39
        assert "1 2 4 7" not in made
        assert not any(plan.failures for plan in made.values())
        assert all(len(plan.candidates) == 3 for plan in made.values())
        assert len(stub.stats.faults) >= 7, "every kind of fault was met"

        before = stub.stats.requests
        code, _ = await armap("plan", "-c", path)
        assert code == 1
        assert stub.stats.requests - before == 9, "only the poisoned call, with its tries"
        (failure,) = (out / "failures.jsonl").read_text().splitlines()
        assert json.loads(failure)["failure"]["kind"] == "ServerFailed"
        assert Journal(out / "calls.jsonl", read_only=True).failed == {"ServerFailed": 1}

    faulty = Settings(
        latency=0.02, replies="game24", faults=0.05, poison="from 1 2 4 7.", hang=30.0, seed=1
    )
    with_stub(faulty, scenario)
    whole = tmp_path / "whole"
    whole.mkdir()

    async def healed(stub: StubServer) -> None:
        path = write_plan(tmp_path, stub.url, tasks={"split": "test", "limit": 40})
        code, complaint = await armap("plan", "-c", path)
        assert code == 0, complaint
        assert stub.stats.requests == 10, "one opening, and three turns of three episodes"
        fresh = write_plan(whole, stub.url, tasks={"split": "test", "limit": 40})
        assert (await armap("plan", "-c", fresh))[0] == 0
        assert plans(out) == plans(whole / "out")

    with_stub(Settings(replies="game24"), healed)


def test_a_failed_branch_is_tried_again_and_nothing_else(tmp_path: Path) -> None:
    async def scenario(stub: StubServer) -> None:
        path = write_plan(tmp_path, stub.url, llm={"retry": {"tries": 1}})
        code, complaint = await armap("plan", "-c", path)
        assert code == 1
        assert "branches failed; run again" in complaint
        cut = sum(len(plan.failures) for plan in plans(tmp_path / "out").values())
        assert cut > 0
        known = answered(tmp_path / "out")
        for _ in range(12):
            code, complaint = await armap("plan", "-c", path)
            if code == 0:
                break
        assert code == 0, complaint
        assert {stub.stats.successes[identity] for identity in known} == {1}
        assert len(answered(tmp_path / "out")) == stub.stats.successes.total()

    kinds = (Fault.ERROR, Fault.MALFORMED)
    with_stub(Settings(replies="game24", faults=0.06, kinds=kinds, seed=5), scenario)


BUDGETS = {
    "task calls": {"task": {"calls": 6}},
    "task tokens": {"task": {"tokens": 360}},
    "run calls": {"run": {"calls": 40}},
    "run dollars": {"run": {"dollars": 0.004}},
}


@pytest.mark.parametrize("case", BUDGETS)
def test_a_budget_ends_with_the_best_so_far_and_can_be_raised(case: str, tmp_path: Path) -> None:
    out = tmp_path / "out"

    async def scenario(stub: StubServer) -> None:
        llm = {"prices": {"input": 1.0, "output": 2.0}, "concurrency": 4}
        path = write_plan(tmp_path, stub.url, budget=BUDGETS[case], llm=llm)
        code, complaint = await armap("plan", "-c", path)
        assert code == (1 if case.startswith("run") else 0), complaint
        assert "budget" in complaint or code == 0
        spent = Journal(out / "calls.jsonl", read_only=True)
        caps = BUDGETS[case]
        if "run" in caps:
            assert spent.paid.calls <= caps["run"].get("calls", 10**9)
            assert spent.paid.dollars < caps["run"].get("dollars", 1e9) * 1.2
        for plan in plans(out).values():
            assert plan.usage.calls <= caps.get("task", {}).get("calls", 10**9)
            if plan.failures:
                assert any("budget" in failure.message for failure in plan.failures)
        if "task" in caps:
            cut = [plan for plan in plans(out).values() if plan.remark]
            assert len(cut) == 12
            assert all("the budget leaves room for" in plan.remark for plan in cut)
            assert all(plan.answer is not None for plan in cut)
        known = answered(out)
        code, complaint = await armap("plan", "-c", path, "--set", "budget={}")
        assert code == 0, complaint
        assert {stub.stats.successes[identity] for identity in known} == {1}
        whole = tmp_path / "whole"
        code, _ = await armap("plan", "-c", path, "--set", "budget={}", "--out", whole)
        assert code == 0
        assert (out / "plans.jsonl").read_bytes() == (whole / "plans.jsonl").read_bytes()

    with_stub(Settings(replies="game24"), scenario)


@pytest.mark.parametrize("budget", [{}, {"task": {"calls": 7}}, {"run": {"calls": 60}}])
def test_a_replay_calls_nothing_and_gives_the_same_bytes(
    budget: dict[str, Any], tmp_path: Path
) -> None:
    async def scenario(stub: StubServer) -> None:
        planner = {"kind": "mcts", "trajectories": 4, "width": 3}
        path = write_plan(tmp_path, stub.url, budget=budget, planner=planner)
        await armap("plan", "-c", path)
        before = stub.stats.requests
        code, said = await armap("plan", "--replay", tmp_path / "out")
        assert code == 0, said
        assert "the same bytes as in" in said
        assert stub.stats.requests == before
        original = (tmp_path / "out" / "plans.jsonl").read_bytes()
        assert original
        assert (tmp_path / "out-replay" / "plans.jsonl").read_bytes() == original
        if budget:
            return
        more = ["--set", "planner.trajectories=9", "--out", tmp_path / "more"]
        code, said = await armap("plan", "--replay", tmp_path / "out", *more)
        assert code == 1
        assert "holds no such call" in said

    with_stub(Settings(replies="game24"), scenario)


@pytest.mark.parametrize(
    ("planner", "sessions"),
    [
        ({"kind": "best_of_n", "n": 3}, 4),
        ({"kind": "reflexion", "trials": 3, "threshold": 0.99}, 3),
        ({"kind": "mcts", "trajectories": 4, "width": 3}, 1),
    ],
    ids=lambda value: value["kind"] if isinstance(value, dict) else "",
)
def test_a_session_is_a_trajectory_or_a_whole_tree(
    planner: dict[str, Any], sessions: int, tmp_path: Path
) -> None:
    async def scenario(stub: StubServer) -> None:
        tasks = {"split": "test", "limit": 2}
        path = write_plan(tmp_path, stub.url, planner=planner, tasks=tasks)
        assert (await armap("plan", "-c", path))[0] == 0
        headers = [request.headers for request in stub.requests]
        assert len({given["X-Session-ID"] for given in headers}) == 2 * sessions
        grown: dict[str, list[Any]] = {}
        if planner["kind"] == "mcts":
            return
        for request in stub.requests:
            before = grown.get(request.headers["X-Session-ID"], [])
            assert request.body["messages"][: len(before)] == before, "prompts only grow"
            grown[request.headers["X-Session-ID"]] = request.body["messages"]

    with_stub(Settings(replies="game24"), scenario)


def test_an_adaptive_cap_finds_what_the_endpoint_bears(tmp_path: Path) -> None:
    async def scenario(stub: StubServer) -> None:
        llm = {"concurrency": 64, "adaptive": {"start": 4}}
        tasks = {"split": "test", "limit": 40}
        code, said = await armap("plan", "-c", write_plan(tmp_path, stub.url, llm=llm, tasks=tasks))
        assert code == 0, said
        assert "retried (RateLimited" in said
        lines = (tmp_path / "out" / "concurrency.jsonl").read_text().splitlines()
        changes = [json.loads(line) for line in lines]
        assert {change["why"] for change in changes} >= {"grow", "RateLimited"}
        refused = stub.stats.statuses[429] / stub.stats.requests
        assert refused < 0.25, "most requests found room"
        assert max(change["cap"] for change in changes) < 64

    with_stub(Settings(replies="game24", latency=0.03, concurrent=12, retry_after=0.02), scenario)


def test_forty_samples_with_a_cap_of_32_at_a_host_name(tmp_path: Path) -> None:
    async def scenario(stub: StubServer) -> None:
        url = stub.url.replace("127.0.0.1", "localhost")
        changes = {
            "llm": {"concurrency": 32, "max_n": 1},
            "planner": {"kind": "best_of_n", "n": 40},
            "tasks": {"split": "test", "limit": 1},
        }
        code, complaint = await armap("plan", "-c", write_plan(tmp_path, url, **changes))
        assert code == 0, complaint
        assert stub.stats.peak == 32
        (plan,) = plans(tmp_path / "out").values()
        assert len(plan.candidates) == 40

    with_stub(Settings(replies="game24", latency=0.05), scenario)


@pytest.mark.parametrize("exchange", ["auto", "aiohttp"])
@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_at_once_although_calls_are_on_their_way(
    sign: signal.Signals, exchange: str, tmp_path: Path
) -> None:
    async def scenario(stub: StubServer) -> None:
        path = write_plan(tmp_path, stub.url, llm={"timeout": 60.0, "exchange": exchange})
        process = await start("plan", "-c", path)
        while stub.stats.in_flight < 12:
            await asyncio.sleep(0.005)
        process.send_signal(sign)
        _, complaint = await asyncio.wait_for(process.communicate(), 10)
        assert process.returncode == 130
        assert f"to go on: armap plan -c {path}" in complaint.decode()

    with_stub(Settings(latency=30.0), scenario)


REFUSALS: dict[str, tuple[Settings, dict[str, Any], int, str]] = {
    "wrong path": (Settings(), {"base_url": "URL/v2"}, 2, "base_url usually ends in /v1"),
    "wrong key": (Settings(api_key="right"), {}, 2, "the key is refused: $OPENAI_API_KEY is not"),
    "unknown model": (Settings(model="other"), {}, 2, "there is no model 'stub'"),
    "context": (Settings(context=20), {}, 1, "use a model with more context"),
    "no n": (Settings(refused=frozenset({"n"})), {}, 2, "set llm.max_n: 1"),
    "no seed": (Settings(refused=frozenset({"seed"})), {}, 2, "set llm.omit: [seed]"),
    "max_tokens": (
        Settings(refused=frozenset({"max_tokens"})),
        {},
        2,
        "set llm.max_tokens_field: max_completion_tokens",
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_what_the_server_refuses_is_one_line_with_the_fix(case: str, tmp_path: Path) -> None:
    settings, llm, expected, message = REFUSALS[case]

    async def scenario(stub: StubServer) -> None:
        changed = {key: value.replace("URL", stub.url) for key, value in llm.items()}
        code, complaint = await armap("plan", "-c", write_plan(tmp_path, stub.url, llm=changed))
        assert code == expected, complaint
        assert message in complaint
        errors = [line for line in complaint.splitlines() if line.startswith("error: ")]
        assert len(errors) == 1
        assert "Traceback" not in complaint

    with_stub(settings, scenario)
