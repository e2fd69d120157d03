"""The chat model that everything calls: any model, with its journal and its budget."""

from __future__ import annotations

import asyncio
import time
from itertools import groupby
from typing import TYPE_CHECKING

from armap.calls.budget import Account, Budget, BudgetConfig, Meter
from armap.calls.journal import Call
from armap.calls.request import Request
from armap.calls.scope import current_scope
from armap.errors import (
    ArmapError,
    BudgetSpent,
    ModelError,
    ReplayError,
    RunBudgetSpent,
    TaskBudgetSpent,
)
from armap.types import Completions, Failure, Usage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from armap.calls.budget import Prices
    from armap.calls.journal import Journal
    from armap.protocols import ChatModel
    from armap.types import Message, Sampling

__all__ = ["Recorded"]


class Recorded:
    """A :class:`~armap.protocols.ChatModel` around another one.

    A request that is in the journal is answered from there and costs nothing; only samples that
    are not there are drawn. Every other request is checked against the budget, sent, and
    written down before its reply is handed on, whether it was answered or failed. The same
    request at the same time is sent once. A failure is not tried again in the same session.

    Args:
        model: answers what the journal cannot; None for a replay, where nothing is called.
        journal: the run's.
        name: of the model, when there is none.
        budget: caps; what earlier sessions spent counts.
        prices: for the dollars; None if the model costs none.
    """

    def __init__(
        self,
        model: ChatModel | None,
        journal: Journal,
        *,
        name: str = "",
        budget: BudgetConfig | None = None,
        prices: Prices | None = None,
    ) -> None:
        self.name = model.name if model else name
        self.hits = 0
        self._model = model
        self._journal = journal
        self._prices = prices
        self._budget = budget or BudgetConfig()
        self._limited = self._budget.task.limited or self._budget.run.limited
        self._flying: dict[bytes, asyncio.Future[None] | None] = {}
        self._failed: dict[bytes, Failure] = {}
        self._run_meter = Meter(self._budget.run, journal.paid, RunBudgetSpent, "budget.run")
        self._task_meters: dict[str, Meter] = {}

    async def complete(self, messages: Sequence[Message], sampling: Sampling) -> Completions:
        """Answer from the journal, else from the model.

        Raises:
            BudgetSpent: a cap is reached.
            ReplayError: this is a replay, and the journal does not know the request.
            ModelError: the model could not answer, now or (in a replay) then.
        """
        request = Request.of(self.name, messages, sampling)
        while request.key in self._flying:
            await self._landing(request.key)
        calls = self._journal.answers(request)
        lacking = _lacking(calls, sampling) if calls else (sampling,)
        if not lacking:
            self.hits += 1
            return _assembled(calls, sampling)
        if self._model is None:
            raise self._as_recorded(request)
        if request.key in self._failed:
            raise _revived(self._failed[request.key])
        self._flying[request.key] = None
        try:
            calls += await self._draw(self._model, request, messages, lacking)
        finally:
            landing = self._flying.pop(request.key)
            if landing is not None:
                landing.set_result(None)
        return _assembled(calls, sampling)

    async def close(self) -> None:
        """Close the model. Idempotent."""
        if self._model is not None:
            await self._model.close()

    def _landing(self, key: bytes) -> asyncio.Future[None]:
        """Done when the call that is on its way for ``key`` has ended, in whatever way."""
        landing = self._flying[key]
        if landing is None:
            landing = self._flying[key] = asyncio.get_running_loop().create_future()
        return asyncio.shield(landing)

    async def _draw(
        self,
        model: ChatModel,
        request: Request,
        messages: Sequence[Message],
        lacking: Sequence[Sampling],
    ) -> list[Call]:
        """Draw samples, in several calls if need be; when one fails, the others are on record."""
        most = getattr(model, "max_n", None)
        if len(lacking) == 1 and (most is None or lacking[0].n <= most):
            return [await self._call(model, request, messages, lacking[0])]
        parts = [part for samples in lacking for part in samples.parts(most or samples.n)]
        results = await asyncio.gather(
            *(self._call(model, request, messages, part) for part in parts), return_exceptions=True
        )
        errors = [result for result in results if isinstance(result, BaseException)]
        for error in errors:
            if not isinstance(error, ModelError):
                raise error
        if errors:
            failure = self._journal.failure(request)
            assert failure is not None
            raise _revived(failure) from errors[0]  # the last one, as in a replay
        return [result for result in results if isinstance(result, Call)]

    async def _call(
        self, model: ChatModel, request: Request, messages: Sequence[Message], sampling: Sampling
    ) -> Call:
        """Send one request; its result is in the journal before it is returned or raised."""
        started = time.perf_counter()
        scope = current_scope()
        reply: Completions | None = None
        error: ModelError | None = None
        flying = []
        try:
            for meter in self._meters(scope.task):
                meter.take_off()
                flying.append(meter)
            reply = _checked(self.name, await model.complete(messages, sampling), sampling)
        except ArmapError as problem:
            if not isinstance(problem, ModelError):
                raise
            error = problem
        except Exception as problem:  # noqa: BLE001  (whatever a third party's model raises)
            error = ModelError(f"asking {self.name}: {type(problem).__name__}: {problem}")
            error.__cause__ = problem
        finally:
            for meter in flying:
                meter.land()
        call = Call(
            kind="call",
            key=request.key.hex(),
            model=self.name,
            messages=tuple([turn.hex() for turn in request.turns]),
            sampling=sampling,
            task=scope.task,
            session=scope.session,
            reply=self._booked(reply) if reply is not None else None,
            failure=Failure.of(error) if error is not None else None,
            retried=reply.retried if reply is not None else error.retried if error else (),
            seconds=round(time.perf_counter() - started, 4),
            at=round(time.time(), 3),
        )
        self._journal.append(request, messages, call)
        if error is not None and call.failure is not None:
            if not isinstance(error, BudgetSpent):  # which may be one task's only
                self._failed[request.key] = call.failure
            raise error
        return call

    def _meters(self, task: str) -> tuple[Meter, ...]:
        """What a call of ``task`` is held against."""
        if not self._limited:
            return ()
        if task not in self._task_meters:
            account = self._journal.paid_by_task[task] if task else Account()
            cap = self._budget.task if task else Budget()
            self._task_meters[task] = Meter(cap, account, TaskBudgetSpent, "budget.task")
        return (self._task_meters[task], self._run_meter)

    def _booked(self, reply: Completions) -> Completions:
        """The reply with its price; an answer counts as a call even if the model counts none."""
        usage = reply.usage
        calls = usage.calls or 1
        dollars = usage.dollars if self._prices is None else self._prices.dollars(usage)
        if calls == usage.calls and dollars == usage.dollars:
            return reply
        usage = usage.model_copy(update={"calls": calls, "dollars": dollars})
        return reply.model_copy(update={"usage": usage})

    def _as_recorded(self, request: Request) -> Exception:
        failure = self._journal.failure(request)
        if failure is not None:
            return _revived(failure)
        scope = current_scope()
        return ReplayError(
            f"{self._journal.path}: holds no such call (task {scope.task!r}); a replay needs a "
            "finished run and its own configuration"
        )


def _revived(failure: Failure) -> ModelError:
    """The error of a record; of a third party's own class only the message is left."""
    error = failure.error()
    return error if isinstance(error, ModelError) else ModelError(failure.message)


def _checked(name: str, reply: Completions, sampling: Sampling) -> Completions:
    """Hold a model to its protocol."""
    if len(reply.texts) != sampling.n:
        raise ModelError(f"{name} was asked for {sampling.n} replies and gave {len(reply.texts)}")
    for text in reply.texts:
        text.encode()  # what is no text cannot be written down
    return reply


def _lacking(calls: Sequence[Call], sampling: Sampling) -> list[Sampling]:
    """The samples that ``calls`` do not hold: those side by side in one request."""
    held = {ordinal for call in calls for ordinal in call.sampling.ordinals}
    runs = [
        tuple(ordinals)
        for is_held, ordinals in groupby(sampling.ordinals, key=held.__contains__)
        if not is_held
    ]
    return [sampling.model_copy(update={"start": run[0], "n": len(run)}) for run in runs]


def _assembled(calls: Sequence[Call], sampling: Sampling) -> Completions:
    """The samples asked for, each from the first call that drew it; the cost of those calls."""
    if len(calls) == 1 and calls[0].reply is not None:
        drawn = calls[0].sampling
        if drawn is sampling or drawn == sampling:
            return calls[0].reply
    place = {
        ordinal: (call.reply, index)
        for call in reversed(calls)
        for index, ordinal in enumerate(call.sampling.ordinals)
        if call.reply is not None
    }
    picked = [place[ordinal] for ordinal in sampling.ordinals]
    replies = {id(reply): reply for reply, _ in picked}.values()
    return Completions(
        texts=tuple(reply.texts[index] for reply, index in picked),
        usage=sum((reply.usage for reply in replies), Usage()),
        finish=tuple(reply.finish[index] for reply, index in picked if reply.finish),
        logprobs=tuple(reply.logprobs[index] for reply, index in picked if reply.logprobs),
    )
