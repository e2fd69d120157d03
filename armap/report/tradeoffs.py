"""Gather what the candidates of planning runs offer between the reward and other measures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from armap.errors import ArmapError
from armap.evaluate import Graded
from armap.measures import COMMON
from armap.objective import REWARD
from armap.report.data import Front, Tradeoffs
from armap.run import Rescoring
from armap.storage import read_records
from armap.tradeoff import penalised

if TYPE_CHECKING:
    from collections.abc import Mapping

    from armap.run import Judged
    from armap.storage import Manifest

__all__ = ["read_tradeoffs"]

_POINTS = 24
"""Weights of a front at most."""
_ROWS = 3
"""Weights of each measure in the table."""
_LEAST = 0.01
"""A front along which the measure changes by less than this share says nothing."""
_ASIDE = frozenset(COMMON) - {"steps", "dollars"}
"""Measures that have a front only where an objective names them."""


def read_tradeoffs(runs: Mapping[Path, str], manifests: Mapping[Path, Manifest]) -> Tradeoffs:
    """Choose anew among the scored candidates of graded planning runs.

    Runs that were themselves made out of one of the others offer nothing new.

    Args:
        runs: the graded planning runs, and how each is called.
        manifests: theirs.
    """
    here = {str(path.resolve()) for path in runs}
    fronts, rows, missing, meanings = [], [], [], dict[str, str]()
    for path, name in runs.items():
        if _within(manifests[path].source, here) or not _scored(path):
            continue
        try:
            rescoring = Rescoring(path)
            found = [_front(rescoring, name, measure) for measure in _traded(rescoring)]
            kept = [front for front in found if _moves(front)]
            fronts += kept
            rows += [(name, judged) for judged in _table(rescoring, kept)]
        except ArmapError as error:
            missing.append((name, str(error)))
        else:
            meanings |= {m: rescoring.pool.measures[m].meaning for m in _names(kept)}
    return Tradeoffs(
        fronts=tuple(fronts),
        rows=tuple(rows),
        meanings=tuple(meanings.items()),
        missing=tuple(missing),
    )


def _within(source: str, here: set[str]) -> bool:
    return bool(source) and str(Path(source).resolve()) in here


def _scored(path: Path) -> bool:
    graded = read_records(path / "results.jsonl", Graded)
    return any(score is not None for item in graded for score in item.scores)


def _traded(rescoring: Rescoring) -> list[str]:
    """The measures worth a front: length, money, the environment's own, those of an objective."""
    text = rescoring.pool.objective or REWARD
    aimed = {name for part in text.split(" | ") for name in rescoring.objective(part).names}
    return [name for name in rescoring.pool.varying if name not in _ASIDE or name in aimed]


def _front(rescoring: Rescoring, name: str, measure: str) -> Front:
    pool, base = rescoring.pool, rescoring.objective(REWARD)
    points = []
    for weight in pool.weights(base, measure, most=_POINTS):
        objective = rescoring.objective(penalised(REWARD, measure, weight))
        points.append(pool.means(pool.answers(objective), objective.text, weight))
    return Front(run=name, measure=measure, unit=pool.measures[measure].unit, points=tuple(points))


def _moves(front: Front) -> bool:
    sizes = [point.measures[front.measure] for point in front.points]
    return max(sizes) - min(sizes) > _LEAST * max(map(abs, sizes))


def _names(fronts: list[Front]) -> list[str]:
    return [front.measure for front in fronts]


def _table(rescoring: Rescoring, fronts: list[Front]) -> list[Judged]:
    """The answers as planned, then some of every front, from small weights to large ones."""
    if not fronts:
        return []
    rows = [rescoring.planned()]
    for front in fronts:
        inner = front.points[1:]
        spread = (i * len(inner) // (_ROWS + 1) for i in range(1, _ROWS + 1))
        for place in dict.fromkeys(spread):
            point = inner[place]
            rows.append(rescoring.judge(rescoring.objective(point.objective), point.weight))
    return rows
