"""The chat model of a run, with its journal and its budget."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from armap.calls import JOURNAL, Journal, Recorded, counted
from armap.envs import make_pictures
from armap.errors import ConfigError
from armap.llms import make_llm, name_of
from armap.llms.illustrated import Illustrated
from armap.llms.openai import CapChange
from armap.plugins import ImportConfig

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from armap.config import CollectRun, PlanRun
    from armap.protocols import ChatModel
    from armap.run.progress import Progress
    from armap.storage import RunFolder

__all__ = ["CAPS", "recorded_model", "replayed_model", "summed_up"]

CAPS = "concurrency.jsonl"
"""What an adaptive cap did, in a run folder."""


@contextmanager
def recorded_model(
    run: CollectRun | PlanRun, folder: RunFolder, watch: Progress
) -> Generator[Recorded, None, None]:
    """The model of ``run``, journaled in its folder; says what it cost when it is done.

    Whoever uses the model closes it: that needs the loop that it was used in. Weights are loaded
    here, before there is a loop, so that Ctrl-C need not wait for them.
    """
    _check_prices(run)
    caps = folder.lines(CAPS, CapChange)
    journal = Journal(folder.path / JOURNAL)
    try:
        model = Recorded(
            _seeing(make_llm(run.llm, told=caps.append), run),
            journal,
            budget=run.budget,
            prices=getattr(run.llm, "prices", None),
        )
        yield model
    except BaseException:
        if not len(journal):  # nothing was answered: the folder may be used otherwise
            journal.path.write_bytes(b"")
            caps.clear()
        raise
    finally:
        journal.close()
        if not journal.path.stat().st_size:
            journal.path.unlink()
    watch.say(summed_up(journal, hits=model.hits))


def _seeing(model: ChatModel, run: CollectRun | PlanRun) -> ChatModel:
    """The model, shown what the environment of ``run`` draws, if it draws anything."""
    pictures = make_pictures(run.env)
    return model if pictures is None else Illustrated(model, pictures)


def _check_prices(run: CollectRun | PlanRun) -> None:
    capped = run.budget.task.dollars is not None or run.budget.run.dollars is not None
    priced = isinstance(run.llm, ImportConfig) or getattr(run.llm, "prices", None) is not None
    if capped and not priced:
        raise ConfigError(
            "budget: a cap in dollars needs prices; with llm.kind openai set "
            "llm.prices: {input: ..., output: ...} in dollars per million tokens"
        )


@contextmanager
def replayed_model(run: PlanRun, source: Path) -> Generator[Recorded, None, None]:
    """The model of a replay: it knows what is in the journal of ``source`` and calls nothing."""
    journal = Journal(source / JOURNAL, read_only=True)
    try:
        yield Recorded(None, journal, name=name_of(run.llm))
    finally:
        journal.close()


def summed_up(journal: Journal, *, hits: int = 0) -> str:
    """One line on what a run's calls cost and how they failed."""
    paid = journal.paid
    parts = [f"{paid.calls:,} calls", f"{paid.tokens:,} tokens"]
    if paid.cached:
        parts[-1] += f" ({paid.usage.cached_share:.0%} of the prompts' from the server's cache)"
    if paid.dollars:
        parts.append(f"${paid.dollars:,.4f}")
    if hits:
        parts.append(f"{hits:,} answered from the journal")
    for what, kinds in (("retried", journal.retried), ("failed", journal.failed)):
        if kinds:
            listed = counted(dict(kinds.most_common()))
            parts.append(f"{kinds.total():,} {what} ({listed})")
    return "; ".join(parts)
