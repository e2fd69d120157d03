"""Rewards customised afterwards, as in ARMAP's Table 2: shorter or cheaper answers, no new call.

    python benchmarks/objectives.py > benchmarks/results/objectives.md

from the repository's root; about a minute. The runs stay in runs/bench/objectives.

Best-of-N and tree search plan the toy shop once; everything else is chosen among their stored
candidates. The weights are taken on training tasks, by the reward model's score alone: for each
measure the largest of a grid that costs at most one hundredth of it. The table is of test tasks.
"""

from __future__ import annotations

import sys
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, NamedTuple

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent)]

from table import machine

from armap.config import PlanRun
from armap.envs import TaskSelection
from armap.planners.best_of_n import BestOfNConfig
from armap.planners.mcts import MCTSConfig
from armap.plugins import ImportConfig
from armap.report.headline import display_name
from armap.run import Judged, Rescoring, Sweep, run_plan
from armap.storage import read_manifest

if TYPE_CHECKING:
    from armap.types import Split

RUNS = Path("runs/bench/objectives")
BUDGET = 10
PLANNERS = (BestOfNConfig(n=BUDGET), MCTSConfig(trajectories=BUDGET))
GRID = {
    "steps": tuple(i / 1000 for i in range(101)),
    "price": tuple(i / 10000 for i in range(101)),
}
LOSS = 0.01
"""Calibrated reward that a penalty may cost on the training tasks."""


class Entry(NamedTuple):
    """A row of the table."""

    name: str
    judged: Judged
    sizes: dict[str, tuple[float, float, float]]
    """Relative change of each measure with its interval, in per cent."""


def planned(planner: BestOfNConfig | MCTSConfig, split: Split) -> Rescoring:
    """The one run of this planner on these tasks; made if it is not there."""
    shop = "benchmarks.toy_shop"
    run = PlanRun(
        out=str(RUNS / f"{planner.kind}-{split}"),
        env=ImportConfig(target=f"{shop}:Shop"),
        llm=ImportConfig(target=f"{shop}:Shopper"),
        reward=ImportConfig(target=f"{shop}:Reader"),
        tasks=TaskSelection(split=split),
        planner=planner,
    )
    run_plan(run)
    return Rescoring(Path(run.out))


def weight(train: Rescoring, measure: str) -> float:
    """The largest weight that costs at most ``LOSS`` of the reward model's score."""
    rows = train.sweep(Sweep(measure, GRID[measure]))
    best = rows[0].means.reward
    kept = [row.means.weight for row in rows if row.means.reward >= best - LOSS]
    return max(w for w in kept if w is not None)


def entries(planner: BestOfNConfig | MCTSConfig) -> list[Entry]:
    train, test = planned(planner, "train"), planned(planner, "test")
    steps, price = weight(train, "steps"), weight(train, "price")
    name = display_name(planner.kind)
    aims = {
        f"{name} + length penalty": f"reward - {steps:g} * steps",
        f"{name} + price penalty": f"reward - {price:g} * price",
        f"{name} + both": f"reward - {steps:g} * steps - {price:g} * price",
    }
    rows = {name: test.planned()}
    rows |= {called: test.judge(test.objective(text)) for called, text in aims.items()}
    before = rows[name].means.measures
    return [Entry(called, judged, _relative(judged, before)) for called, judged in rows.items()]


def _relative(judged: Judged, before: dict[str, float]) -> dict[str, tuple[float, float, float]]:
    if judged.change is None:
        return {}
    return {
        measure: tuple(100 * change / before[measure] for change in judged.change.measures[measure])
        for measure in GRID
    }


def line(entry: Entry) -> str:
    means, change = entry.judged.means, entry.judged.change
    sizes = [f"{means.measures[m]:.2f}{shift(entry.sizes.get(m))}" for m in GRID]
    success = f"{100 * means.success:.1f} %"
    paired = ""
    if change is not None and change.success is not None:
        delta, low, high = (100 * share for share in change.success)
        paired = f"{delta:+.1f} ({low:+.1f} to {high:+.1f})"
    cells = (
        entry.name,
        f"`{means.objective}`" if means.objective else "",
        *sizes,
        f"{100 * means.score:.1f}",
        success,
        paired,
        f"{means.reward:.3f}",
    )
    return "| " + " | ".join(cells) + " |"


def shift(relative: tuple[float, float, float] | None) -> str:
    if relative is None:
        return ""
    delta, low, high = relative
    return f", {delta:+.0f} % ({low:+.0f} to {high:+.0f})"


def main() -> None:
    found = [entry for planner in PLANNERS for entry in entries(planner)]
    test = planned(PLANNERS[0], "test")
    pool = test.pool
    one = [0 if stored.options else None for stored in pool.tasks]
    sample = Entry("One sample", Judged(means=pool.means(one, ""), change=None), {})
    manifest = read_manifest(RUNS / "best_of_n-test")
    print("# Objectives: shorter or cheaper answers from the same candidates\n")
    print("Command: `python benchmarks/objectives.py`, after ARMAP's Table 2.")
    print(f"Machine: {machine()}. Seed: {manifest.seed}. Date: {manifest.created[:10]}.\n")
    print(__doc__.split("\n\n")[-1].strip())
    print(f"{len(pool.tasks)} test tasks, N = {BUDGET} candidates each.\n")
    print("Agent, shop and reward model are stand-ins (`benchmarks/toy_shop.py`): this shows what")
    print("rescoring does, not how good a learned model is. The hundredth was settled on another")
    print("draw of the shop's tasks, where two hundredths cost ARMAP-B 4 points of success for")
    print("45 % of its steps.\n")
    print("| answers | objective | steps | price, $ | score | success | change | reward model |")
    print("|---|---|---|---|---|---|---|---|")
    for entry in (sample, *found):
        print(line(entry))
    print("\nScore: the environment's own, 0 to 100. Changes are against the same planner's own")
    print("answers, steps and price in per cent of them, success in points; in parentheses paired")
    print("95 % intervals (normal for means, Bonett and Price's for success).\n")
    for measure in GRID:
        print(f"## The front of {display_name('best_of_n')} against {measure}\n")
        print(f"| weight | {measure} | score | success | reward model |")
        print("|---|---|---|---|---|")
        for row in test.sweep(Sweep(measure, ())):
            means = row.means
            print(
                f"| {means.weight:g} | {means.measures[measure]:.2f} | {100 * means.score:.1f} "
                f"| {100 * means.success:.1f} % | {means.reward:.3f} |"
            )
        print()
    calls = fmean(stored.options[0].values["calls"] for stored in pool.tasks)
    print(f"An episode takes {calls:.1f} calls; choosing anew takes none:")
    print(f"`armap rescore {RUNS}/best_of_n-test --sweep steps --sweep price`.")


if __name__ == "__main__":
    main()
