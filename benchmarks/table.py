"""Print a result table in Markdown, with the command and the machine beside it."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

from armap.evaluate import Summary
from armap.report.headline import display_name
from armap.storage import read_manifest


def machine() -> str:
    info = Path("/proc/cpuinfo")
    names = [line for line in info.read_text().splitlines() if line.startswith("model name")]
    model = names[0].partition(":")[2].strip() if names else platform.processor()
    return f"{model}, {os.cpu_count()} cores, shared"


def main(path: Path) -> None:
    manifest = read_manifest(path.parent.parent / "greedy-1")
    rows = Summary.model_validate_json(path.read_bytes()).rows
    print("# Game of 24, the official 100 test puzzles\n")
    print("Command: `benchmarks/game24.sh`.")
    print(f"Machine: {machine()}. Seed: {manifest.seed}. Date: {manifest.created[:10]}.")
    print(", ".join(f"{name} {value}" for name, value in manifest.versions.items()) + ".\n")
    print("Policy: the embedded model. Intervals: 95 %, Wilson's; for sampling from the spread")
    print("over tasks. Calls and tokens are totals over the 100 puzzles; seconds are wall time,")
    print("for ARMAP-B those of drawing its candidates included.\n")
    print("| planner | N | success | 95 % | LLM calls | tokens | seconds |")
    print("|---|---|---|---|---|---|---|")
    for row in sorted(rows, key=lambda row: row.n):
        low, high = row.ci
        name, calls, tokens = display_name(row.planner), row.llm_calls, row.tokens
        print(
            f"| {name} | {row.n} | {row.success:.1%} | {low:.1%} to {high:.1%} "
            f"| {calls:,} | {tokens:,} | {row.seconds:.0f} |"
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
