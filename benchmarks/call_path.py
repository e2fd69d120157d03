#!/usr/bin/env python3
"""What a call costs: armap beside a bare loop and its peers, against a stub server.

Usage::

    python benchmarks/call_path.py [--peers-python OTHER/bin/python] [--out rows.jsonl]
    python benchmarks/call_path.py --quick       # a smoke test
    python benchmarks/call_path.py budget40      # does one Best-of-40 come to an end?
    python benchmarks/call_path.py plan          # Best-of-8 as a whole run
    python benchmarks/call_path.py memory        # 100,000 calls through one run; its journal

The server is pinned to one core and each client, a process of its own, to another. Clients take
turns within a repeat, so that noise hits all alike; rows are medians over the repeats. Rows go
to standard output as JSON lines, the table and the verdicts to standard error. The CPU time per
call is the robust number on a shared machine.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median, quantiles
from typing import Any, NamedTuple

from stub_process import ROOT, Cores, Stub, cores, pin, stub_process

CLIENTS = {"bare": 6000, "armap": 3500, "its_hub": 2000, "openai": 500}
"""Clients, and how many calls a second each is expected to make: it decides how many it gets."""
PEERS = ("its_hub", "openai")
SEEDLESS = ("its_hub",)
"""Clients that send no seed: their calls for one prompt cannot be told apart."""
LIMIT_S = 60.0
BUDGET_LIMIT_S = 10.0


class Setting(NamedTuple):
    """What a row is about."""

    client: str
    cap: int
    latency_ms: float


@dataclass(slots=True)
class Samples:
    """What the repeats of a row said."""

    lines: list[dict[str, Any]] = field(default_factory=list)

    def median(self, name: str) -> float:
        return float(median(line[name] for line in self.lines))

    def largest(self, name: str) -> float:
        return float(max(line[name] for line in self.lines))


@dataclass(frozen=True, slots=True)
class Row:
    """A measured row: medians, except where it says otherwise."""

    client: str
    cap: int
    latency_ms: float
    repeats: int
    calls: int
    wall_s: float
    calls_per_s: float
    calls_per_s_best: float
    """The best of the repeats: where other work shares the machine, the wall time knows it."""
    cpu_ms_per_call: float
    cpu_ms_samples: tuple[float, ...]
    """One a repeat, in their order: those of two clients are pairs."""
    peak: int
    """Most in flight as the server saw it, the largest of the repeats."""
    rss_mb: float
    repeated: int | None
    """Requests answered more than once, the most of the repeats; None if they have no seed."""
    server_busy: float
    """Share of the wall time that the server computed: near 1 it is what was measured."""


class Verdict(NamedTuple):
    """A bar, and whether armap clears it."""

    bar: str
    value: str
    passed: bool


def calls_for(setting: Setting, seconds: float) -> int:
    """Calls that should take about so long, by what client, cap and latency allow."""
    most: float = CLIENTS[setting.client]
    if setting.latency_ms:
        most = min(most, setting.cap / (setting.latency_ms / 1e3))
    return max(16, 2 * setting.cap, int(most * seconds) // 8 * 8)


def start(
    command: list[str], core: int | None, limit: float
) -> subprocess.CompletedProcess[str] | None:
    """Run a client on its core; None when it did not end in time."""
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        pin(process.pid, core)
        try:
            said, complained = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            process.kill()
            return None
        return subprocess.CompletedProcess(command, process.returncode, said, complained)


def client_command(name: str, peers_python: str, url: str, *options: str) -> list[str]:
    python = peers_python if name in PEERS else sys.executable
    return [python, str(ROOT / "benchmarks/call_clients.py"), name, "--url", url, *options]


def sample(setting: Setting, calls: int, on: Cores, peers_python: str) -> dict[str, Any]:
    """Measure one client once, against a server of its own.

    Raises:
        RuntimeError: the client failed, or took longer than it may.
    """
    with stub_process(["--latency-ms", str(setting.latency_ms)], on.server) as stub:
        before = stub.stats()
        options = ("--cap", str(setting.cap), "--calls", str(calls))
        command = client_command(setting.client, peers_python, stub.url, *options)
        done = start(command, on.client, LIMIT_S)
        if done is None or done.returncode:
            why = f"did not end within {LIMIT_S:.0f} s" if done is None else done.stderr[-2000:]
            raise RuntimeError(f"{setting}: {why}")
        line: dict[str, Any] = json.loads(done.stdout)
        after = stub.stats()
    if "absent" not in line:
        line |= {"peak": after["peak"], "repeated": after["repeated"]}
        line["server_busy"] = (after["cpu_s"] - before["cpu_s"]) / line["wall_s"]
    return line


def measure(given: argparse.Namespace, on: Cores) -> list[Row]:
    """Every setting, ``--repeats`` times, clients taking turns."""
    settings = [
        Setting(client, cap, latency)
        for latency in given.latencies
        for cap in given.caps
        for client in given.clients
    ]
    samples = {setting: Samples() for setting in settings}
    absent: set[str] = set()
    for repeat in range(given.repeats):
        for setting in settings:
            if setting.client in absent:
                continue
            progress(f"{repeat + 1}/{given.repeats} {setting.client} cap {setting.cap}")
            calls = calls_for(setting, given.seconds)
            line = sample(setting, calls, on, given.peers_python)
            if "absent" in line:
                absent.add(setting.client)
                progress("")
                say(f"skipped {setting.client}: {line['absent']}; see --peers-python")
                continue
            samples[setting].lines.append(line)
    progress("")
    return [summary(setting, found) for setting, found in samples.items() if found.lines]


def summary(setting: Setting, found: Samples) -> Row:
    """The medians of a setting's samples."""
    return Row(
        *setting,
        repeats=len(found.lines),
        calls=found.lines[0]["calls"],
        wall_s=round(found.median("wall_s"), 3),
        calls_per_s=round(found.median("calls_per_s"), 1),
        calls_per_s_best=round(found.largest("calls_per_s"), 1),
        cpu_ms_per_call=round(found.median("cpu_ms_per_call"), 4),
        cpu_ms_samples=tuple(round(line["cpu_ms_per_call"], 4) for line in found.lines),
        peak=int(found.largest("peak")),
        rss_mb=round(found.median("rss_mb"), 1),
        repeated=None if setting.client in SEEDLESS else int(found.largest("repeated")),
        server_busy=round(found.median("server_busy"), 2),
    )


def verdicts(rows: list[Row]) -> list[Verdict]:
    """The bars that armap is held to; one that was not measured is left out."""
    by = {(row.client, row.cap, row.latency_ms): row for row in rows}
    ours, bare = by.get(("armap", 128, 50.0)), by.get(("bare", 128, 50.0))
    instant = by.get(("armap", 128, 0.0))
    found = []
    if ours is not None:
        cpu = ours.cpu_ms_per_call
        found.append(Verdict("cap 128, 50 ms: CPU <= 0.20 ms a call", f"{cpu:.3f}", cpu <= 0.20))
    if ours is not None and bare is not None:
        pairs = zip(ours.cpu_ms_samples, bare.cpu_ms_samples, strict=True)
        ratio = median(mine / theirs for mine, theirs in pairs)
        found.append(Verdict("cap 128, 50 ms: CPU <= 1.5 x bare", f"{ratio:.2f}", ratio <= 1.5))
    for row, bar in ((ours, 1500), (instant, 4500)):
        if row is not None:
            rate, best = row.calls_per_s, row.calls_per_s_best
            what = f"cap 128, {row.latency_ms:.0f} ms: >= {bar:,} calls/s"
            found.append(Verdict(what, f"{rate:,.0f}, at best {best:,.0f}", rate >= bar))
    mine = [row for row in rows if row.client == "armap"]
    if mine:
        over = [f"{row.peak} > {row.cap}" for row in mine if row.peak > row.cap]
        found.append(Verdict("peak in flight <= cap, every row", str(over or "yes"), not over))
        twice = sum(row.repeated or 0 for row in mine)
        found.append(Verdict("no request answered twice", f"{twice} twice", not twice))
    return found


def say(text: str) -> None:
    """Tell whoever watches; rows alone go to standard output."""
    print(text, file=sys.stderr, flush=True)


def progress(text: str) -> None:
    """What is being measured, on one line of a terminal; an empty text clears it."""
    if sys.stderr.isatty():
        print(f"\r{text:40}\r", end="", file=sys.stderr, flush=True)


def quartiles(values: tuple[float, ...]) -> tuple[float, float]:
    """The first and the last; of one value, that value."""
    if len(values) == 1:
        return values[0], values[0]
    low, _, high = quantiles(values, n=4, method="inclusive")
    return low, high


def show(rows: list[Row], found: list[Verdict]) -> None:
    """The table and the verdicts, to be read."""
    say(
        f"{'client':8} {'cap':>4} {'ms':>3} {'calls':>6} {'wall s':>7} {'calls/s':>8} {'best':>8} "
        f"{'CPU ms/call':>11} {'quartiles':>15} {'peak':>4} {'RSS MB':>6} {'twice':>5} {'busy':>5}"
    )
    for row in rows:
        low, high = quartiles(row.cpu_ms_samples)
        twice = "-" if row.repeated is None else str(row.repeated)
        say(
            f"{row.client:8} {row.cap:4} {row.latency_ms:3.0f} {row.calls:6} {row.wall_s:7.2f} "
            f"{row.calls_per_s:8,.0f} {row.calls_per_s_best:8,.0f} {row.cpu_ms_per_call:11.3f} "
            f"{low:7.3f}-{high:7.3f} {row.peak:4} {row.rss_mb:6.0f} {twice:>5} "
            f"{row.server_busy:5.0%}"
        )
    judge(found)


def judge(found: list[Verdict]) -> None:
    """The verdicts, to be read."""
    for verdict in found:
        say(f"{'pass' if verdict.passed else 'FAIL'}  {verdict.bar}: {verdict.value}")


def budget40(given: argparse.Namespace, on: Cores) -> list[dict[str, Any]]:
    """One Best-of-40 with everything at its default, by host name: does it come to an end?"""
    lines = []
    for name in ("its_hub", "armap"):
        with stub_process(["--latency-ms", "50"], on.server) as stub:
            lines.append({"client": name, **_budget40(name, stub, given.peers_python, on)})
        say(f"budget 40, {name}: {lines[-1]}")
    return lines


def _budget40(name: str, stub: Stub, peers_python: str, on: Cores) -> dict[str, Any]:
    url = f"http://localhost:{stub.port}/v1"
    command = client_command(name, peers_python, url, "--budget", "40")
    done = start(command, on.client, BUDGET_LIMIT_S)
    requests = stub.stats()["requests"]
    if done is None:
        return {"finished": False, "limit_s": BUDGET_LIMIT_S, "requests": requests}
    if done.returncode:
        return {"finished": False, "error": done.stderr[-2000:], "requests": requests}
    line: dict[str, Any] = json.loads(done.stdout)
    return line if "absent" in line else {"finished": True, "requests": requests, **line}


def runs(given: argparse.Namespace, on: Cores) -> tuple[list[dict[str, Any]], list[Verdict]]:
    """A whole run at cap 128 and 50 ms (``plan``) or 0 ms (``memory``), repeated."""
    latency, repeats = (50, given.repeats) if given.what == "plan" else (0, 1)
    lines = []
    for repeat in range(repeats):
        progress(f"{repeat + 1}/{repeats} {given.what}")
        options = ["--latency-ms", str(latency), "--replies", "game24"]
        with stub_process(options, on.server) as stub:
            script = str(ROOT / "benchmarks/call_runs.py")
            done = start([sys.executable, script, given.what, "--url", stub.url], on.client, 600.0)
            if done is None or done.returncode:
                raise RuntimeError("no end within 600 s" if done is None else done.stderr[-2000:])
            line = {"run": given.what, "latency_ms": latency, **json.loads(done.stdout)}
            line["peak"] = stub.stats()["peak"]
            lines.append(line)
    progress("")
    middle = {name: median(line[name] for line in lines) for name in lines[0] if name != "run"}
    say(f"{given.what}: " + ", ".join(f"{name} {value:,.3f}" for name, value in middle.items()))
    return lines, _run_verdicts(given.what, middle)


def _run_verdicts(what: str, middle: dict[str, float]) -> list[Verdict]:
    if what == "memory":
        rss, rate = middle["rss_mb"], middle["reopened_per_s"]
        return [
            Verdict("100,000 calls: <= 300 MB", f"{rss:.0f} MB", rss <= 300),
            Verdict("journal: >= 50,000 records/s", f"{rate:,.0f}", rate >= 50_000),
        ]
    cpu, ideal = middle["cpu_ms_per_call"], middle["calls"] * 0.050 / 128
    ratio = middle["wall_s"] / ideal
    return [
        Verdict("Best-of-8: CPU <= 0.45 ms a call", f"{cpu:.3f}", cpu <= 0.45),
        Verdict("Best-of-8: wall <= 1.25 x ideal", f"{ratio:.2f} x {ideal:.2f} s", ratio <= 1.25),
    ]


def numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def parse() -> argparse.Namespace:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = options.add_argument
    add("what", nargs="?", choices=["rows", "budget40", "plan", "memory"], default="rows")
    add("--clients", type=lambda text: text.split(","), default=list(CLIENTS))
    add("--caps", type=numbers, default=[1, 32, 128, 512])
    add("--latencies", type=numbers, default=[50, 0], help="milliseconds")
    add("--repeats", type=int, default=5)
    add("--seconds", type=float, default=1.0, help="about how long a client is measured")
    add("--peers-python", default=sys.executable, help="a Python that has its_hub and openai")
    add("--out", type=Path, help="write the rows here too")
    add("--quick", action="store_true", help="one cap, one repeat, a quarter of a second")
    add("--check", action="store_true", help="exit status 1 when a bar is missed")
    given = options.parse_args()
    if given.quick:
        given.caps, given.repeats, given.seconds = [128], 1, 0.25
    return given


def main() -> int:
    given, on = parse(), cores()
    load = ", ".join(f"{part:.1f}" for part in os.getloadavg())
    python = sys.version.split()[0]
    say(f"{platform.machine()}, {os.cpu_count()} cores, load {load}; Python {python}")
    where = "client and server share the only core" if on.client is None else "one core each"
    say(f"pinning: {where}")
    found: list[Verdict] = []
    if given.what == "budget40":
        lines = budget40(given, on)
    elif given.what in ("plan", "memory"):
        lines, found = runs(given, on)
        judge(found)
    else:
        rows = measure(given, on)
        found = verdicts(rows)
        show(rows, found)
        lines = [asdict(row) for row in rows]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    sys.stdout.write(text)
    if given.out:
        given.out.write_text(text, encoding="utf-8")
    return int(given.check and not all(verdict.passed for verdict in found))


if __name__ == "__main__":
    sys.exit(main())
