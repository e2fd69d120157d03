#!/usr/bin/env python3
"""All planners at equal budget on the Game of 24, with the embedded language model.

Usage::

    python benchmarks/equal_budget.py            # hours on 2 cores; goes on when repeated
    python benchmarks/equal_budget.py --write    # ... and write results/equal_budget.md
    python benchmarks/equal_budget.py --quick    # a smoke test, minutes
    python benchmarks/equal_budget.py --split dev --seeds 1 --trajectories 10 --tokens 2000

Two ways to be equal:

*Equal numbers of trajectories* N: each planner may finish N episodes per puzzle (the beam about N).
*Equal numbers of tokens*: each puzzle has a cap, ``budget.task.tokens``. A planner's size (n,
trials, width, trajectories) is what the cap would buy by the planner's own price, measured in the
first part on its largest N, and a tenth more; the cap cuts off what is too much. Planners that stop
when they are content leave tokens over; the table says how many they used.

Planners that select among independent episodes do it among the same ones (those of ``sampling``),
so they differ by selection alone; their tokens are those of the episodes they looked at. Success is
the mean over seeds per puzzle; differences are paired by puzzle, against ``best_of_n``. Episodes
have the game's own four turns as their step limit, so that planners may reckon with it.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, NamedTuple

from table import machine

from armap.calls import BudgetConfig
from armap.calls.budget import Budget
from armap.cli.progress import Terminal
from armap.config import PlanRun
from armap.demo import demo_steps
from armap.envs import TaskSelection
from armap.errors import ArmapError
from armap.evaluate import Graded
from armap.planners.beam import BeamConfig
from armap.planners.best_of_n import BestOfNConfig
from armap.planners.mcts import MCTSConfig
from armap.planners.reflexion import ReflexionConfig
from armap.planners.sampling import GreedyConfig, SamplingConfig
from armap.planners.self_consistency import SelfConsistencyConfig
from armap.policy import PolicyConfig
from armap.rewards.card import read_card
from armap.rewards.model import TrainedRewardConfig
from armap.run import run_plan, start
from armap.statistics import Paired, mean_interval, paired
from armap.storage import read_manifest, read_records
from armap.types import Limits, Plan, Usage

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from armap.planners import AnyPlannerConfig

RESULT = Path(__file__).parent / "results" / "equal_budget.md"
BASELINE = "best_of_n"
EXPANSIONS = 4
TURNS = 4
SPARE = 1.1
"""A token-capped planner may begin so much more than its cap would buy on average."""


class Arm(NamedTuple):
    """A planner in the comparison."""

    make: Callable[[int, str | None], AnyPlannerConfig]
    """Its settings for a size, and for a folder of stored episodes."""
    stored: bool = False
    """It selects among the episodes of ``sampling``."""
    size: Callable[[int], int] = int
    """Its size for N trajectories."""


ARMS = {
    "greedy": Arm(lambda *_: GreedyConfig(), size=lambda _: 1),
    "sampling": Arm(lambda n, _: SamplingConfig(n=n)),
    "best_of_n": Arm(lambda n, at: BestOfNConfig(n=n, candidates=at), stored=True),
    "best_of_n adaptive": Arm(
        lambda n, at: BestOfNConfig(n=n, candidates=at, adaptive=True), stored=True
    ),
    "self_consistency": Arm(lambda n, at: SelfConsistencyConfig(n=n, candidates=at), stored=True),
    "self_consistency weighted": Arm(
        lambda n, at: SelfConsistencyConfig(n=n, candidates=at, weighted=True), stored=True
    ),
    "reflexion": Arm(lambda n, _: ReflexionConfig(trials=n)),
    "beam": Arm(
        lambda n, _: BeamConfig(width=n, expansions=EXPANSIONS),
        size=lambda n: max(1, n // EXPANSIONS),
    ),
    "mcts": Arm(lambda n, _: MCTSConfig(trajectories=n)),
}


@dataclass(frozen=True)
class Settings:
    """What to run, and where."""

    runs: Path
    reward: Path
    split: str
    tasks: int
    seeds: int
    arms: tuple[str, ...]


@dataclass
class Measured:
    """One planner at one budget, over all seeds."""

    name: str
    size: int
    success: list[float]
    """Per puzzle, the mean over seeds."""
    usage: Usage
    """Per puzzle and seed, in total over all of them."""
    episodes: float
    """Finished, per puzzle."""
    plans: int
    against: Paired | None = field(default=None)

    @property
    def tokens(self) -> float:
        return self.usage.tokens / self.plans

    @property
    def calls(self) -> float:
        return self.usage.calls / self.plans


def main() -> None:
    asked = arguments()
    runs = Path(asked.runs)
    try:
        reward = Path(asked.reward) if asked.reward else trained(runs)
        settings = Settings(
            runs, reward, asked.split, asked.tasks, asked.seeds, tuple(asked.planners)
        )
        by_count = {n: compare(settings, f"n-{n}", n=n) for n in sorted(asked.trajectories)}
        prices = {row.name: row.tokens / row.size for row in by_count[max(by_count)] if row.tokens}
        by_tokens = {
            cap: compare(settings, f"tokens-{cap}", cap=cap, prices=prices)
            for cap in sorted(asked.tokens)
        }
    except ArmapError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("interrupted; the same command goes on from here")
    if not read_card(reward / "model").calibration.chosen:
        note = "no scores of held-out positives; best_of_n adaptive stops by rule of thumb"
        print(f"{reward}: {note}", file=sys.stderr)
    text = document(settings, by_count, by_tokens)
    print(text)
    if asked.write:
        RESULT.write_text(text)
        print(f"written to {RESULT}", file=sys.stderr)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=Raw)
    parser.add_argument("--runs", default="runs/equal_budget", help="folder for all runs")
    parser.add_argument(
        "--reward", help="run folder of `armap train`; trained as in the demo if not"
    )
    parser.add_argument("--split", default="test", choices=("test", "dev"))
    parser.add_argument("--tasks", type=int, default=100, help="puzzles")
    parser.add_argument(
        "--seeds", type=int, default=3, help="runs of everything, averaged per puzzle"
    )
    parser.add_argument("--trajectories", type=int, nargs="*", default=[5, 10, 20])
    parser.add_argument(
        "--tokens", type=int, nargs="*", default=[1000, 2000, 4000], help="per puzzle"
    )
    parser.add_argument("--planners", nargs="+", default=list(ARMS), choices=list(ARMS))
    parser.add_argument("--quick", action="store_true", help="4 puzzles, one seed, small budgets")
    parser.add_argument("--write", action="store_true", help=f"write {RESULT.name}")
    asked = parser.parse_args()
    if asked.quick:
        asked.runs += "-quick"
        asked.tasks, asked.seeds, asked.trajectories, asked.tokens = 4, 1, [4], [800]
    if not asked.trajectories:
        parser.error("--trajectories: give one at least; prices are measured on it")
    if not {"sampling", BASELINE} <= set(asked.planners):
        parser.error(f"--planners: sampling and {BASELINE} are needed to compare with")
    if min(asked.tasks, asked.seeds, *asked.trajectories, *asked.tokens) < 1:
        parser.error("numbers must be positive")
    return asked


Raw = argparse.RawDescriptionHelpFormatter


def trained(runs: Path) -> Path:
    """The demo's reward model, trained if it is not there."""
    for step in demo_steps(str(runs / "reward"))[:3]:
        with Terminal() as progress:
            start(step.run, progress=progress)
    return runs / "reward" / "train"


def compare(
    settings: Settings,
    label: str,
    *,
    n: int = 0,
    cap: int | None = None,
    prices: dict[str, float] | None = None,
) -> list[Measured]:
    """Run every planner at one budget: N trajectories, or a cap on tokens."""
    rows = []
    for name, arm in ARMS.items():
        if name not in settings.arms:
            continue
        if cap is None:
            size = arm.size(n)
        else:
            assert prices is not None
            price = prices["sampling" if arm.stored else name]
            size = 1 if name == "greedy" else max(1, ceil(SPARE * cap / price))
        folders = [
            planned(settings, label, name, size, cap, seed) for seed in range(settings.seeds)
        ]
        rows.append(measured(name, size, folders))
    baseline = next(row for row in rows if row.name == BASELINE)
    for row in rows:
        if row is not baseline:
            row.against = paired(row.success, baseline.success)
    return rows


def planned(
    settings: Settings, label: str, name: str, size: int, cap: int | None, seed: int
) -> Path:
    """The folder of one run, made unless it is there whole."""
    arm = ARMS[name]
    where = settings.runs / f"{settings.split}-{label}"
    folder = where / f"{name.replace(' ', '_')}-{seed}"
    planner = arm.make(size, str(where / f"sampling-{seed}") if arm.stored else None)
    # The embedded model repeats itself at temperature 0 whatever its notes say.
    warm = PolicyConfig(temperature=1.0) if isinstance(planner, ReflexionConfig) else PolicyConfig()
    run = PlanRun(
        out=str(folder),
        seed=seed,
        policy=warm,
        tasks=TaskSelection(split=settings.split, limit=settings.tasks),
        reward=TrainedRewardConfig(path=str(settings.reward)),
        planner=planner,
        limits=Limits(max_steps=TURNS),
        budget=BudgetConfig(task=Budget(tokens=cap)),
    )
    if whole(run):
        return folder
    print(f"{label}: {name}, size {size}, seed {seed}", file=sys.stderr)
    with Terminal() as progress:
        run_plan(run, progress=progress)
    if not whole(run):
        raise ArmapError(f"{folder}: not every puzzle was planned; run the same command again")
    return folder


def whole(run: PlanRun) -> bool:
    """Whether every puzzle is planned and graded by this very run.

    Plans that a budget ended count as failed ones for ``armap plan``, which would make them anew.
    """
    folder = Path(run.out)
    if not (folder / "results.jsonl").is_file():
        return False
    if read_manifest(folder).config != run.model_dump(mode="json"):
        return False
    return len(list(read_records(folder / "results.jsonl", Graded))) == run.tasks.limit


def measured(name: str, size: int, folders: Sequence[Path]) -> Measured:
    """Sum up the seeds of one planner at one budget."""
    graded = [list(read_records(folder / "results.jsonl", Graded)) for folder in folders]
    plans = [plan for folder in folders for plan in read_records(folder / "plans.jsonl", Plan)]
    ended = [sum(c.trajectory.whole for c in plan.candidates) for plan in plans]
    return Measured(
        name=name,
        size=size,
        success=[fmean(solved(name, item) for item in same) for same in zip(*graded, strict=True)],
        usage=sum((plan.usage for plan in plans), Usage()),
        episodes=fmean(ended),
        plans=len(plans),
    )


def solved(name: str, graded: Graded) -> float:
    """1 for a solved puzzle; for sampling the share of its episodes."""
    return fmean(graded.successes) if name == "sampling" else float(graded.success)


def shown(budgets: dict[int, list[Measured]]) -> str:
    """Budgets as the command line takes them."""
    return " ".join(map(str, budgets))


def document(
    settings: Settings, by_count: dict[int, list[Measured]], by_tokens: dict[int, list[Measured]]
) -> str:
    """The tables in Markdown, with what is needed to judge them."""
    any_run = settings.runs / f"{settings.split}-n-{min(by_count)}" / "sampling-0"
    manifest = read_manifest(any_run)
    versions = ", ".join(f"{name} {value}" for name, value in manifest.versions.items())
    lines = [
        "# Planners at equal budget",
        "",
        f"Game of 24, {settings.tasks} puzzles of the {settings.split} split, the embedded model, "
        f"{settings.seeds} seeds.",
        f"Command: `python benchmarks/equal_budget.py --split {settings.split} "
        f"--seeds {settings.seeds} --trajectories {shown(by_count)} --tokens {shown(by_tokens)} "
        f"--write`. Machine: {machine()}.",
        f"Date: {manifest.created[:10]}. {versions}.",
        "",
        "Success is the mean over seeds and puzzles, its interval 95 % from the spread over",
        f"puzzles. *vs {BASELINE}* is the difference in points, paired by puzzle, with its 95 %",
        "bootstrap interval: where that holds 0, the data do not tell the two apart; + and - count",
        "the puzzles on which a planner did better and worse. Episodes, calls and tokens are means",
        "per puzzle. Planners that select share the episodes of `sampling`. *Size* is `n`,",
        f"`trials`, `width` (beam, {EXPANSIONS} expansions) or `trajectories`. `greedy` is there",
        "for reference, whatever the budget. `self_consistency` is flattered by this game: the",
        "rules refuse false claims and this policy always claims 24, so that what may vote is",
        "nearly always right.",
    ]
    for n, rows in by_count.items():
        lines += ["", f"## {n} trajectories per puzzle", "", *table(rows)]
    for cap, rows in by_tokens.items():
        lines += ["", f"## At most {cap:,} tokens per puzzle", "", *table(rows)]
    return "\n".join(lines) + "\n"


def table(rows: Sequence[Measured]) -> list[str]:
    head = (
        f"| planner | size | success | 95 % | vs {BASELINE} | + / - | episodes | calls | tokens |"
    )
    lines = [head, "|---" * 9 + "|"]
    for row in rows:
        low, high = mean_interval(row.success)
        lines.append(
            f"| {row.name} | {row.size} | {fmean(row.success):.1%} | {low:.0%} to {high:.0%} "
            f"| {gap(row.against)} | {row.episodes:.1f} | {row.calls:.1f} | {row.tokens:,.0f} |"
        )
    return lines


def gap(against: Paired | None) -> str:
    if against is None:
        return "| "
    low, high = (100 * bound for bound in against.interval)
    return (
        f"{100 * against.difference:+.1f} ({low:+.1f} to {high:+.1f}) "
        f"| {against.better} / {against.worse}"
    )


if __name__ == "__main__":
    main()
