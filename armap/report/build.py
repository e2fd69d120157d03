"""Gather what a report shows from run folders."""

from __future__ import annotations

import os
import platform
from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING

from pydantic import ValidationError

from armap.errors import ConfigError, DataError
from armap.evaluate import Graded, Row, Summary, curve
from armap.report.calls import about, names, read_calls_of
from armap.report.data import Example, ReportData, Shown
from armap.report.failures import MEANINGS, read_failures
from armap.report.page import render_page
from armap.report.tradeoffs import read_tradeoffs
from armap.rewards.card import read_card
from armap.rewards.train import LearningPoint
from armap.storage import Manifest, read_manifest, read_records, write_text
from armap.types import Plan

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from armap.oracle import Outcome
    from armap.types import Candidate, Trajectory

__all__ = ["gather", "write_report"]

_ORDER = (
    "greedy",
    "sampling",
    "self_consistency",
    "reflexion",
    "best_of_n",
    "beam",
    "mcts",
    "oracle",
)
_EXAMPLES = 6
"""Puzzles shown per planner."""
_SHOWN = 10
"""Candidates shown per puzzle."""
_BLAMED = 3
"""Folders that are named when there is nothing to report."""


def write_report(runs: Sequence[Path], out: Path) -> ReportData:
    """Write ``report.html`` and ``summary.json`` into ``out``; return what they show.

    Raises:
        ConfigError: a folder is not a run, or none of them is an evaluated planning run.
        DataError: a file is damaged.
    """
    data = gather(runs)
    summary = Summary(rows=data.rows)
    write_text(out / "summary.json", summary.model_dump_json(indent=2) + "\n")
    write_text(out / "report.html", render_page(data))
    return data


def gather(runs: Sequence[Path]) -> ReportData:
    """Read the folders; training runs add the reward model's learning curve."""
    manifests = {path: read_manifest(path) for path in runs}
    plans = [path for path, manifest in manifests.items() if _evaluated(path, manifest)]
    if not plans:
        raise ConfigError(_nothing(manifests))
    # A rescored run has the same oracle as its source.
    rows = list(dict.fromkeys(row for path in plans for row in _summary(path).rows))
    rows.sort(key=lambda row: (_rank(row.planner), row.n, row.objective))
    selecting = _widest(plans, manifests)
    graded = list(read_records(selecting / "results.jsonl", Graded)) if selecting else []
    rewards = [path for path, manifest in manifests.items() if _is_reward(path, manifest)]
    first = manifests[plans[0]]
    return ReportData(
        title="Planning with a learned reward",
        subtitle=_subtitle(rows, first),
        rows=tuple(rows),
        curve=tuple(curve(graded)) if graded else (),
        learning=tuple(_learning(rewards)),
        card=read_card(rewards[0] / "model") if rewards else None,
        solved_scores=tuple(_scores(graded, won=True)),
        unsolved_scores=tuple(_scores(graded, won=False)),
        examples=tuple(example for path in plans for example in _examples(path)),
        tradeoffs=read_tradeoffs(_called(plans, manifests), manifests),
        calls=tuple(read_calls_of(manifests)),
        facts=(*_facts(runs, first), *_worlds([manifests[path] for path in plans])),
    )


def _called(plans: Sequence[Path], manifests: dict[Path, Manifest]) -> dict[Path, str]:
    """What the reader knows runs by: the planner, with the folder where that is not enough."""
    kinds = {path: about(manifests[path]) for path in plans}
    count = Counter(kind for path, kind in kinds.items() if not manifests[path].source)
    folders = names({path: manifests[path] for path in plans})
    return {
        path: kind if count[kind] < 2 else f"{kind}, {folders[path]}"
        for path, kind in kinds.items()
    }


def _evaluated(path: Path, manifest: Manifest) -> bool:
    graded = (path / "results.jsonl").is_file() and (path / "summary.json").is_file()
    return manifest.stage == "plan" and graded


def _is_reward(path: Path, manifest: Manifest) -> bool:
    return manifest.stage == "train" and (path / "learning.jsonl").is_file()


def _nothing(manifests: dict[Path, Manifest]) -> str:
    """Why there is nothing to report, folder by folder."""
    said = [_missing(path, manifest) for path, manifest in list(manifests.items())[:_BLAMED]]
    if len(manifests) > _BLAMED:
        said.append(f"and {len(manifests) - _BLAMED} more")
    said.insert(0, "nothing to report: none of the folders is an evaluated planning run")
    return "; ".join(said)


def _missing(path: Path, manifest: Manifest) -> str:
    """What a folder is instead of an evaluated planning run, or what it takes to be one."""
    if manifest.stage != "plan":
        return f"{path} is a {manifest.stage} run"
    plans = path / "plans.jsonl"
    if plans.is_file() and plans.stat().st_size:
        if manifest.config.get("evaluate") is False:
            return f"{path} was made with evaluate: false"
        return f"{path} is not graded, run armap plan on it again"
    failures = read_failures(path)
    if not failures.any:
        return f"{path} has no plan yet"
    more = f"armap calls {path} --failed" if failures.calls else f"see {path / 'failures.jsonl'}"
    return f"{path} has no plan, {failures.line} ({more})"


def _summary(path: Path) -> Summary:
    file = path / "summary.json"
    try:
        return Summary.model_validate_json(file.read_bytes())
    except ValidationError as error:
        raise DataError(f"{file}: not a result table; run armap plan on it again") from error


def _rank(planner: str) -> int:
    return _ORDER.index(planner) if planner in _ORDER else len(_ORDER)


def _widest(plans: Sequence[Path], manifests: dict[Path, Manifest]) -> Path | None:
    """The Best-of-N run with the most candidates: its curve holds all smaller ones."""

    def size(path: Path) -> int:
        planner = manifests[path].config.get("planner")
        n = planner.get("n", 0) if isinstance(planner, dict) else 0
        return n if isinstance(n, int) else 0

    found = [path for path in plans if _summary(path).rows[0].planner == "best_of_n"]
    return max(found, key=size, default=None)


def _subtitle(rows: Sequence[Row], manifest: Manifest) -> str:
    env = manifest.config.get("env")
    kind = env.get("kind", "") if isinstance(env, dict) else ""
    tasks = sorted({row.tasks for row in rows})
    return f"{kind}, {' and '.join(map(str, tasks))} tasks, seed {manifest.seed}"


def _learning(rewards: Sequence[Path]) -> list[LearningPoint]:
    if not rewards:
        return []
    return list(read_records(rewards[0] / "learning.jsonl", LearningPoint))


def _scores(graded: Sequence[Graded], *, won: bool) -> list[float]:
    return [
        score
        for item in graded
        for score, success in zip(item.scores, item.successes, strict=True)
        if score is not None and (success == 1.0) == won
    ]


def _examples(path: Path) -> list[Example]:
    """The first plans of a run with their grades.

    A run that is being continued has plans that are not graded yet, and grades of plans that
    were dropped.
    """
    graded = {item.task: item for item in read_records(path / "results.jsonl", Graded)}
    pairs = (
        (plan, graded.get(plan.task.name)) for plan in read_records(path / "plans.jsonl", Plan)
    )
    fitting = (
        _example(plan, truth)
        for plan, truth in pairs
        if truth is not None and len(truth.outcomes) == len(plan.candidates)
    )
    return list(islice(fitting, _EXAMPLES))


def _example(plan: Plan, truth: Graded) -> Example:
    shown = [
        _shown(candidate, outcome, chosen=index == plan.chosen)
        for index, (candidate, outcome) in enumerate(
            zip(plan.candidates, truth.outcomes, strict=True)
        )
    ]
    shown.sort(key=lambda item: (not item.chosen, item.score is None, -(item.score or 0.0)))
    return Example(
        task=plan.task.name,
        instruction=plan.task.instruction,
        planner=plan.planner,
        candidates=tuple(shown[:_SHOWN]),
        remark=plan.remark,
    )


def _shown(candidate: Candidate, outcome: Outcome | None, *, chosen: bool) -> Shown:
    trajectory = candidate.trajectory
    seen = [step.observation.text for step in trajectory.steps] + [trajectory.final.text]
    return Shown(
        opening=seen[0],
        steps=tuple(zip(trajectory.actions, seen[1:], strict=True)),
        score=candidate.score.raw if candidate.score else None,
        calibrated=candidate.score.calibrated if candidate.score else None,
        success=None if outcome is None else outcome.success,
        mark=None if outcome is None else outcome.score,
        chosen=chosen,
        ended=_ended(trajectory),
    )


def _ended(trajectory: Trajectory) -> str:
    if trajectory.whole:
        return ""
    kind = trajectory.failure.kind if trajectory.failure else trajectory.stop.value
    return MEANINGS.get(kind, kind)


def _worlds(manifests: Sequence[Manifest]) -> list[tuple[str, str]]:
    """What the rows were measured on, where environments tell; and whether it is one thing."""
    told = [manifest.world for manifest in manifests if manifest.world]
    if not told:
        return []
    if any(world != manifests[0].world for world in (m.world for m in manifests)):
        return [("data", "differs between these runs: their rows are not comparable")]
    return [("data", ", ".join(f"{name} {value}" for name, value in told[0].items()))]


def _facts(runs: Sequence[Path], manifest: Manifest) -> list[tuple[str, str]]:
    return [
        ("runs", " ".join(map(str, runs))),
        ("seed", str(manifest.seed)),
        ("git commit", manifest.git_commit or "not in a repository"),
        ("versions", ", ".join(f"{name} {value}" for name, value in manifest.versions.items())),
        ("machine", f"{platform.machine()}, {os.cpu_count()} CPU cores, {platform.system()}"),
        ("made", manifest.created),
        ("intervals", "95 %: Wilson for one answer per task, else from the spread over tasks"),
    ]
