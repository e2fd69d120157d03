"""``armap synthesize``."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from armap.envs import fingerprint, learnable, make_env, reserved
from armap.errors import ConfigError
from armap.run.progress import Progress, Quiet
from armap.storage import JsonLines, Origin, RunFolder
from armap.synthesize import (
    ContrastConfig,
    HindsightConfig,
    WebShopHindsightConfig,
    contrast,
    hindsight,
    webshop_hindsight,
)
from armap.types import Preference, Trajectory

if TYPE_CHECKING:
    from collections.abc import Iterator

    from armap.config import SynthesizeRun
    from armap.protocols import Environment

__all__ = ["run_synthesize"]


def run_synthesize(
    run: SynthesizeRun, *, overwrite: bool = False, progress: Progress | None = None
) -> list[Preference]:
    """Make pairs; leaves ``preferences.jsonl``."""
    watch = progress or Quiet()
    source = _episodes_in("trajectories", run.trajectories)
    origin = Origin(world=fingerprint(run.env))
    with RunFolder.open(
        Path(run.out),
        stage="synthesize",
        config=run,
        origin=origin,
        overwrite=overwrite,
    ) as folder:
        lines = folder.lines("preferences.jsonl", Preference)
        if folder.manifest.finished:
            return list(lines)
        lines.clear()
        episodes = list(JsonLines(source, Trajectory))
        watch.start("making preference pairs", run.synthesis.pairs)
        for pair in _pairs(run, episodes):
            lines.append(pair)
            watch.advance(pair.provenance.rival)
        lines.close()
        pairs = list(lines)
        if not pairs:
            raise ConfigError(f"{source}: no pair could be made of {len(episodes)} trajectories")
        folder.finish()
    kinds = Counter(pair.provenance.rival.split(" at ")[0] for pair in pairs).most_common(4)
    watch.say("most frequent rivals: " + ", ".join(f"{kind} ({n})" for kind, n in kinds))
    return pairs


def _pairs(run: SynthesizeRun, episodes: list[Trajectory]) -> Iterator[Preference]:
    def fresh() -> Environment:
        return make_env(run.env)

    match run.synthesis:
        case HindsightConfig():
            return hindsight(run.synthesis, episodes, fresh, seed=run.seed)
        case WebShopHindsightConfig():
            return webshop_hindsight(
                run.synthesis, episodes, fresh, seed=run.seed, reserved=reserved(run.env)
            )
        case ContrastConfig():
            worse: list[Trajectory] = []
            if run.synthesis.worse is not None:
                lines = _episodes_in("synthesis.worse", run.synthesis.worse)
                worse = list(JsonLines(lines, Trajectory))
            return contrast(
                run.synthesis, episodes, worse, fresh, seed=run.seed, learnable=learnable(run.env)
            )


def _episodes_in(setting: str, folder: str) -> Path:
    """The trajectories of a run folder that a setting names.

    Raises:
        ConfigError: there are none.
    """
    path = Path(folder) / "trajectories.jsonl"
    if not path.is_file():
        raise ConfigError(f"{setting}: {path} does not exist; run `armap collect` first")
    return path
