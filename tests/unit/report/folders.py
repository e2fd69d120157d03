"""Run folders as the stages leave them, made by hand: small, and wrong where a test wants it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import JsonValue

from armap.calls import Call
from armap.evaluate import Graded, Row, Summary
from armap.llms.openai import CapChange
from armap.oracle import Outcome
from armap.run import PlanFailure
from armap.storage import Manifest
from armap.types import (
    Action,
    Candidate,
    Completions,
    Failure,
    Observation,
    Plan,
    Record,
    Sampling,
    Score,
    Step,
    StopReason,
    Task,
    Trajectory,
    Usage,
)

START = 1_000_000.0
"""When every run begins."""


def task(name: str = "t-0") -> Task:
    return Task(env="game24", name=name, split="test", instruction=f"Do {name}.")


def failure(kind: str) -> Failure:
    return Failure(kind=kind, message=f"it was a {kind}")


def call(
    key: str, at: float, *, failed: str = "", retried: Sequence[str] = (), dollars: float = 0.0
) -> Call:
    """A call of half a second that ends ``at`` seconds after the start, with two replies."""
    usage = Usage(
        calls=1, prompt_tokens=100, cached_tokens=25, completion_tokens=10, dollars=dollars
    )
    return Call(
        kind="call",
        key=key.zfill(32),
        model="m",
        messages=(),
        sampling=Sampling(n=2),
        reply=None if failed else Completions(texts=("a", "b"), usage=usage),
        failure=failure(failed) if failed else None,
        retried=tuple(retried),
        seconds=0.5,
        at=START + at,
    )


def episode(name: str = "t-0", *, failed: str = "", stop: StopReason | None = None) -> Trajectory:
    """One action; with ``failed`` the episode ends by that kind of failure."""
    steps = (Step(observation=Observation(text="begin"), action=Action(text="act")),)
    return Trajectory(
        task=task(name),
        steps=steps,
        final=Observation(text="end", terminal=not failed),
        stop=stop or (StopReason.FAILED if failed else StopReason.TERMINAL),
        failure=failure(failed) if failed else None,
        policy="p",
        seed=0,
    )


def plan(name: str = "t-0", *failed: str, whole: int = 1, stop: StopReason | None = None) -> Plan:
    """``whole`` scored candidates, then one for every failure."""
    score = Score(raw=1.0, calibrated=0.5)
    candidates = [Candidate(trajectory=episode(name), score=score)] * whole
    candidates += [Candidate(trajectory=episode(name, failed=kind, stop=stop)) for kind in failed]
    return Plan(
        task=task(name),
        planner="best_of_n",
        candidates=tuple(candidates),
        chosen=0 if whole else None,
        usage=Usage(calls=1),
        failures=tuple(map(failure, failed)),
        remark="a remark" if failed else "",
    )


def graded(made: Plan) -> Graded:
    """Whole candidates succeed; what a failure ended has no outcome."""
    won, lost = Outcome(score=1.0, success=True), Outcome(score=0.0, success=False)
    outcomes = {StopReason.TERMINAL: won, StopReason.BUDGET: lost, StopReason.FAILED: None}
    return Graded(
        task=made.task.name,
        planner=made.planner,
        outcomes=tuple(outcomes[c.trajectory.stop] for c in made.candidates),
        chosen=made.chosen,
        scores=tuple(c.score.raw if c.score else None for c in made.candidates),
    )


def cap(at: float, value: int, why: str = "grow") -> CapChange:
    return CapChange(at=START + at, cap=value, why=why)


def unplanned(name: str, kind: str) -> PlanFailure:
    return PlanFailure(task=task(name), failure=failure(kind))


def write(path: Path, records: Sequence[Record]) -> None:
    path.write_text("".join(record.model_dump_json() + "\n" for record in records))


def folder(
    path: Path,
    files: dict[str, Sequence[Record]],
    *,
    stage: str = "plan",
    finished: bool = True,
    **config: JsonValue,
) -> Path:
    """A run folder with a manifest and these JSON Lines files."""
    path.mkdir(parents=True)
    given = {"planner": {"kind": "best_of_n", "n": 2}} if stage == "plan" else {}
    manifest = Manifest(
        stage=stage,
        config={"env": {"kind": "game24"}, **given, **config},
        seed=0,
        created="2026-01-01",
        versions={},
        git_commit=None,
        finished=finished,
    )
    (path / "manifest.json").write_text(manifest.model_dump_json())
    for name, records in files.items():
        write(path / f"{name}.jsonl", records)
    return path


def evaluated(
    path: Path,
    plans: Sequence[Plan],
    files: dict[str, Sequence[Record]] | None = None,
    *,
    dollars: float = 0.0,
    finished: bool = True,
) -> Path:
    """A graded planning run."""
    records: dict[str, Sequence[Record]] = {
        "plans": plans,
        "results": [graded(made) for made in plans],
        **(files or {}),
    }
    made = folder(path, records, finished=finished)
    summary = Summary(
        rows=(
            Row(
                planner="best_of_n",
                n=2,
                tasks=len(plans),
                success=1.0,
                ci=(0.2, 1.0),
                llm_calls=1,
                tokens=1,
                dollars=dollars,
                seconds=1.0,
            ),
        )
    )
    (made / "summary.json").write_text(summary.model_dump_json())
    return made
