"""``armap synthesize``."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from armap.envs import fingerprint, make_env
from armap.errors import ConfigError
from armap.run.progress import Progress, Quiet
from armap.storage import JsonLines, Origin, RunFolder
from armap.synthesize import hindsight
from armap.types import Preference, Trajectory

if TYPE_CHECKING:
    from armap.config import SynthesizeRun

__all__ = ["run_synthesize"]


def run_synthesize(
    run: SynthesizeRun, *, overwrite: bool = False, progress: Progress | None = None
) -> list[Preference]:
    """Make pairs; leaves ``preferences.jsonl``."""
    watch = progress or Quiet()
    source = Path(run.trajectories) / "trajectories.jsonl"
    if not source.is_file():
        raise ConfigError(f"trajectories: {source} does not exist; run `armap collect` first")
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
        for pair in hindsight(run.synthesis, episodes, lambda: make_env(run.env), seed=run.seed):
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
