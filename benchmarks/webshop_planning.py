"""The tables of ``benchmarks/webshop_planning.sh``: what planning gains, and what thrift costs.

    python benchmarks/webshop_planning.py runs/bench/webshop

The weight of the price is the smallest on a grid at which the reward model's answers on the
development wishes cost a fifth less; neither the test wishes nor any true score take part. The
objective's answers on the test wishes are kept as a run, as ``armap rescore --out`` keeps them.
"""

from __future__ import annotations

import sys
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent)]

from table import machine

from armap.envs.webshop.measures import MEASURES
from armap.evaluate import Graded
from armap.rewards.card import CARD, RewardCard
from armap.run import Rescoring, Sweep
from armap.statistics import paired_means
from armap.storage import read_manifest, read_records
from armap.types import Plan

CHEAPER = 0.2
HEAD = "| answers | tasks | score | against Sampling | of the gap | price, $ | actions |"
LINE = "|---|---|---|---|---|---|---|"
GRID = "price=0:0.02:0.00025"


class Run(NamedTuple):
    """A run's answers by task: the environment's score and the price, both in the mean."""

    score: dict[str, float]
    price: dict[str, float]
    steps: dict[str, float]
    best: dict[str, float]
    """The highest score among a task's candidates."""


def read(folder: Path) -> Run:
    """Answers of a run; for sampling the mean over the samples of each task."""
    price, steps = {}, {}
    for plan in read_records(folder / "plans.jsonl", Plan):
        trips = [candidate.trajectory for candidate in plan.candidates]
        if plan.planner != "sampling":
            trips = [] if plan.chosen is None else [trips[plan.chosen]]
        price[plan.task.name] = fmean(MEASURES["price"].of(trip) for trip in trips)
        steps[plan.task.name] = fmean(len(trip.steps) for trip in trips)
    score, best = {}, {}
    for graded in read_records(folder / "results.jsonl", Graded):
        whole = graded.planner == "sampling"
        score[graded.task] = fmean(graded.marks) if whole else graded.mark
        best[graded.task] = max(graded.marks)
    return Run(score, price, steps, best)


def change(before: dict[str, float], after: dict[str, float]) -> str:
    """Difference of the means over the tasks of ``after``, with its paired 95 % interval."""
    low, high = paired_means([before[task] for task in after], list(after.values()))
    mean = fmean(after.values()) - fmean(before[task] for task in after)
    return f"{100 * mean:+.1f} ({100 * low:+.1f} to {100 * high:+.1f})"


def row(name: str, run: Run, like: Run) -> str:
    """One row: score, its change against sampling, share of the gap, price, steps."""
    tasks = list(run.score)
    base = fmean(like.score[task] for task in tasks)
    gap = fmean(like.best[task] for task in tasks) - base
    share = (fmean(run.score.values()) - base) / gap
    own = run.score is like.score
    columns = [
        name,
        str(len(tasks)),
        f"{100 * fmean(run.score.values()):.1f}",
        "" if own else change(like.score, run.score),
        "" if own else f"{share:.0%}",
        f"{fmean(run.price.values()):.2f}",
        f"{fmean(run.steps.values()):.2f}",
    ]
    return f"| {' | '.join(columns)} |"


def oracle(like: Run, tasks: list[str]) -> str:
    """The row of the best of sampling's candidates."""
    best = fmean(like.best[task] for task in tasks)
    gain = change(like.score, {task: like.best[task] for task in tasks})
    return f"| Oracle of the samples | {len(tasks)} | {100 * best:.1f} | {gain} | 100% | | |"


def weight(dev: Rescoring) -> float:
    """The smallest weight at which the answers on the development wishes cost a fifth less."""
    swept = dev.sweep(Sweep.parse(GRID))
    dearest = swept[0].means.measures["price"]
    for judged, tried in zip(swept, Sweep.parse(GRID).weights, strict=True):
        if judged.means.measures["price"] <= (1 - CHEAPER) * dearest:
            return tried
    return Sweep.parse(GRID).weights[-1]


def tables(runs: Path) -> None:
    """Print them."""
    sampling, best = read(runs / "sampling"), read(runs / "best_of_n")
    _preamble(runs)
    print("## Embedded catalogue, test wishes\n")
    print(HEAD, LINE, row("Sampling (mean)", sampling, sampling), sep="\n")
    print(row("Greedy", read(runs / "greedy"), sampling))
    print(row("ARMAP-B", best, sampling))
    print(oracle(sampling, list(sampling.score)))
    few = {name: read(runs / name) for name in ("reflexion", "mcts")}
    tasks = list(few["mcts"].score)
    start = _cut(sampling, tasks)
    print(f"\nThe first {len(tasks)} of them, for the planners that take longer:\n")
    print(HEAD, LINE, row("Sampling (mean)", start, start), sep="\n")
    print(row("ARMAP-B", _cut(best, tasks), sampling))
    print(row("ARMAP-R", few["reflexion"], sampling))
    print(row("ARMAP-M", few["mcts"], sampling))
    print(oracle(sampling, tasks))
    _thrift(runs, sampling, best)
    if (runs / "best_of_n-official").is_dir():
        official = read(runs / "sampling-official")
        print("\n## The same reward model on the official 1,000 products, synthetic goals 0 to 199")
        print("\nNothing was collected or trained there.\n")
        print(HEAD, LINE, row("Sampling (mean)", official, official), sep="\n")
        print(row("ARMAP-B", read(runs / "best_of_n-official"), official))
        print(oracle(official, list(official.score)))


def _preamble(runs: Path) -> None:
    manifest, training = read_manifest(runs / "best_of_n"), read_manifest(runs / "train")
    card = RewardCard.model_validate_json((runs / "train" / "model" / CARD).read_bytes())
    print("# WebShop: planning with a learned reward model\n")
    print("Command: `benchmarks/webshop_planning.sh runs/bench/webshop DATA`.")
    print(f"Machine: {machine()}. Seed: {manifest.seed}. Date: {manifest.created[:10]}.")
    print(", ".join(f"{name} {value}" for name, value in manifest.versions.items()) + ".")
    print("World: " + ", ".join(f"{key} {value}" for key, value in manifest.world.items()) + ".\n")
    print("Agent: the scripted shopper (`llm.kind: shopper`), no language model. Reward model:")
    print(
        f"`base: scratch`, `renderer: purchase`, {card.train_pairs:,} pairs of hindsight, trained"
    )
    print(f"in {training.seconds / 60:.1f} minutes (machine shared with other work); it orders")
    print(
        f"{card.held_out_accuracy:.1%} of {card.held_out_pairs:,} held-out pairs rightly. N = 10."
    )
    print("Score: WebShop's own reward, 0 to 100, nouns by rule. In parentheses paired 95 %")
    print("intervals over tasks (normal). The gap is from Sampling to the oracle of its samples.\n")


def _thrift(runs: Path, sampling: Run, best: Run) -> None:
    chosen = weight(Rescoring(runs / "best_of_n-dev"))
    text = f"reward - {chosen:g} * price"
    test = Rescoring(runs / "best_of_n")
    kept = runs / "best_of_n-thrifty"
    test.write(test.objective(text), kept, overwrite=kept.exists())
    thrifty = read(kept)
    ratio = fmean(thrifty.price.values()) / fmean(best.price.values()) - 1
    low, high = paired_means(list(best.price.values()), list(thrifty.price.values()))
    print("\n## Cheaper answers from the same candidates (`armap rescore`)\n")
    print(f"The weight is the smallest of a grid that makes the answers {CHEAPER:.0%} cheaper")
    print("on the development wishes by the reward model alone; no call was made.\n")
    print("| answers | objective | price, $ | change of the price | score | against Sampling |")
    print("|---|---|---|---|---|---|")
    print(f"| Sampling (mean) | | {fmean(sampling.price.values()):.2f} | ", end="")
    print(f"| {100 * fmean(sampling.score.values()):.1f} | |")
    for name, goal, run in (("ARMAP-B", "", best), ("ARMAP-B", f"`{text}`", thrifty)):
        cut = f"{ratio:+.0%}, {low:+.2f} to {high:+.2f} dollars" if goal else ""
        print(f"| {name} | {goal} | {fmean(run.price.values()):.2f} | {cut} | ", end="")
        print(f"{100 * fmean(run.score.values()):.1f} | {change(sampling.score, run.score)} |")


def _cut(run: Run, tasks: list[str]) -> Run:
    return Run(*({task: part[task] for task in tasks} for part in run))


if __name__ == "__main__":
    tables(Path(sys.argv[1]))
