"""Progress on the terminal."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn
from rich.progress import TimeElapsedColumn as Elapsed

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

__all__ = ["Terminal", "console"]

console = Console(stderr=True, highlight=False)


class Terminal:
    """Draws each piece of work as a bar; leaves one line behind when it is done."""

    def __init__(self) -> None:
        self._bars = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=28),
            MofNCompleteColumn(),
            Elapsed(),
            TextColumn("[dim]{task.fields[note]}"),
            console=console,
            transient=True,
        )
        self._what = ""
        self._begun = monotonic()
        self._open = False

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self._finish()
        self._bars.stop()

    def start(self, what: str, total: int | None, done: int = 0) -> None:
        """Begin a bar; the previous one is finished."""
        self._finish()
        self._what, self._begun, self._open = what, monotonic(), True
        self._bar = self._bars.add_task(what, total=total, completed=done, note="")
        if done:
            self.say(f"continuing: {done} of {total} were on disk")

    def advance(self, note: str = "") -> None:
        """Move the bar by one."""
        self._bars.update(self._bar, advance=1, note=note[:40])

    def say(self, text: str) -> None:
        """Print a line above the bars."""
        console.print(f"    {text}")

    def _finish(self) -> None:
        if self._open:
            self._bars.remove_task(self._bar)
            seconds = monotonic() - self._begun
            console.print(f"  [green]✓[/] {self._what} [dim]{seconds:.1f} s[/]")
            self._open = False
