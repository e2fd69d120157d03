"""One model for a whole run: nothing is paid twice, nothing that was paid is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from armap.calls import (
    BudgetConfig,
    Journal,
    Prices,
    Recorded,
    current_scope,
    read_calls,
    session_scope,
    task_scope,
)
from armap.errors import (
    ConfigError,
    ContextTooLong,
    DataError,
    ModelError,
    RateLimited,
    ReplayError,
    RunBudgetSpent,
    TimedOut,
)
from armap.types import Completions, Message, Sampling, Task, Usage
from tests.unit.calls.fakes import COST, PROMPT, Row, no_file_above, text_at, write

T = TypeVar("T")
ONE = Task(env="toy", name="one", split="dev", instruction="")
TWO = Task(env="toy", name="two", split="dev", instruction="")
FULL = "too large"


class Session:
    """One run of the program: a journal that is opened and closed, a model around it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __call__(
        self,
        model: Row | None,
        use: Callable[[Recorded], Coroutine[Any, Any, T]],
        *,
        prices: Prices | None = None,
        **budget: dict[str, float],
    ) -> T:
        journal = Journal(self.path, read_only=model is None)
        caps = BudgetConfig.model_validate(budget)
        recorded = Recorded(model, journal, name="row", budget=caps, prices=prices)
        try:
            return asyncio.run(use(recorded))
        finally:
            journal.close()

    def ask(self, model: Row | None, *samplings: Sampling, **budget: Any) -> list[Completions]:
        """Ask one after the other."""

        async def use(recorded: Recorded) -> list[Completions]:
            return [await recorded.complete(PROMPT, sampling) for sampling in samplings]

        return self(model, use, **budget)

    def outcomes(self, model: Row | None, *samplings: Sampling, **budget: Any) -> list[Any]:
        """Ask side by side; replies and errors."""

        async def use(recorded: Recorded) -> list[Any]:
            asked = (recorded.complete(PROMPT, sampling) for sampling in samplings)
            return await asyncio.gather(*asked, return_exceptions=True)

        return self(model, use, **budget)

    @property
    def recorded(self) -> list[tuple[int, int, str]]:
        """First ordinal, number and failure of every call on record, in order."""
        return [
            (call.sampling.start, call.sampling.n, call.failure.kind if call.failure else "")
            for call, _ in read_calls(self.path)
        ]

    @property
    def paid(self) -> int:
        journal = Journal(self.path, read_only=True)
        journal.close()
        return journal.paid.calls


@pytest.fixture
def session(tmp_path: Path) -> Session:
    return Session(tmp_path / "calls.jsonl")


def row(n: int, start: int = 0, **fields: Any) -> Sampling:
    return Sampling(n=n, start=start, **fields)


def texts(*ordinals: int, seed: int = 0) -> tuple[str, ...]:
    return tuple(text_at(PROMPT, Sampling(seed=seed), ordinal) for ordinal in ordinals)


async def quiet() -> None:
    """Let everything run that can."""
    for _ in range(10):
        await asyncio.sleep(0)


class TestJournaled:
    def test_an_answered_request_costs_nothing_in_this_session_or_another(
        self, session: Session
    ) -> None:
        model = Row()

        async def twice(recorded: Recorded) -> list[Completions]:
            replies = [await recorded.complete(PROMPT, row(2)) for _ in range(2)]
            assert recorded.hits == 1
            return replies

        first, again = session(model, twice)
        (later,) = session.ask(model, row(2))
        assert model.places == [(0, 2)]
        assert first == again == later
        assert first.texts == texts(0, 1)
        assert first.usage == COST
        assert session.paid == 1

    def test_other_requests_are_drawn(self, session: Session) -> None:
        model = Row()
        first, second = session.ask(model, row(1), row(1, seed=1))
        assert first.texts != second.texts
        assert model.places == [(0, 1), (0, 1)]

    def test_only_samples_that_are_not_there_are_drawn(self, session: Session) -> None:
        model = Row()
        few, more, less, later = session.ask(model, row(2), row(5), row(1), row(2, start=3))
        assert model.places == [(0, 2), (2, 3)]
        assert few.texts == texts(0, 1)
        assert more.texts == texts(0, 1, 2, 3, 4)
        assert less.texts == texts(0)
        assert later.texts == texts(3, 4)
        assert more.finish == ("stop",) * 5

    @pytest.mark.parametrize("max_n", [None, 1, 2, 3])
    def test_holes_are_filled_and_nothing_between_them_is_drawn_again(
        self, session: Session, max_n: int | None
    ) -> None:
        model = Row(max_n=max_n)
        held = [row(1, start=1), row(2, start=4)]
        *_, whole = session.ask(model, *held, row(8))
        drawn = [ordinal for sampling in model.asked for ordinal in sampling.ordinals]
        assert sorted(drawn) == list(range(8))
        assert whole.texts == texts(*range(8))
        assert max_n is None or max(sampling.n for sampling in model.asked) <= max_n

    def test_of_samples_that_were_drawn_twice_the_first_counts(self, session: Session) -> None:
        journal = Journal(session.path)
        for number, sampling in enumerate((row(2), row(3, start=1), row(1))):
            drawn = tuple(f"{number} {ordinal}" for ordinal in sampling.ordinals)
            write(journal, sampling=sampling, reply=Completions(texts=drawn, usage=COST))
        journal.close()
        (reply,) = session.ask(None, row(4))
        assert reply.texts == ("0 0", "0 1", "1 2", "1 3")
        assert reply.usage == COST + COST

    def test_the_cost_of_a_request_is_that_of_the_calls_it_took_live_and_from_the_journal(
        self, session: Session
    ) -> None:
        wanted = row(2), row(5), row(1, start=4)
        live = session.ask(Row(), *wanted, prices=Prices(input=1e4, output=2e4))
        assert [reply.usage.calls for reply in live] == [1, 2, 1]
        assert [reply.usage.dollars for reply in live] == pytest.approx([1.2, 2.4, 1.2])
        assert session.ask(Row(), *wanted) == live
        assert session.ask(None, *wanted) == live
        assert session.paid == 2

    def test_a_model_may_say_itself_what_it_costs(self, session: Session) -> None:
        (reply,) = session.ask(Row(), row(1))
        assert reply.usage.dollars == COST.dollars

    def test_a_call_is_recorded_with_who_asked_and_what_it_took(self, session: Session) -> None:
        class Flaky(Row):
            async def complete(
                self, messages: Sequence[Message], sampling: Sampling
            ) -> Completions:
                assert current_scope().task == "toy/dev/one"
                reply = await super().complete(messages, sampling)
                return reply.model_copy(update={"retried": ("TimedOut", "RateLimited")})

        async def use(recorded: Recorded) -> str:
            with task_scope(ONE), session_scope(ONE, 7):
                await recorded.complete(PROMPT, row(2))
                return current_scope().session

        dialogue = session(Flaky(), use)
        ((call, messages),) = read_calls(session.path)
        assert messages == PROMPT
        assert (call.model, call.task, call.session) == ("row", "toy/dev/one", dialogue)
        assert call.sampling == row(2)
        assert call.retried == ("TimedOut", "RateLimited")
        assert 0 <= call.seconds < 1
        assert call.at > 1.7e9

    def test_closing_closes_the_model(self, session: Session) -> None:
        async def use(recorded: Recorded) -> None:
            assert recorded.name == "row"
            await recorded.close()
            await recorded.close()

        model = Row()
        session(model, use)
        session(None, use)
        assert model.closed == 2


class TestParts:
    def test_a_request_for_more_than_the_server_gives_at_once_is_cut_and_joined(
        self, session: Session
    ) -> None:
        model = Row(max_n=3)
        live = session.ask(model, row(8))
        assert sorted(model.places) == [(0, 3), (3, 3), (6, 2)]
        assert model.most == 3, "side by side"
        assert live[0].texts == texts(*range(8))
        assert live[0].usage.calls == 3
        assert sorted(session.recorded) == [(0, 3, ""), (3, 3, ""), (6, 2, "")]
        assert session.ask(None, row(8)) == live

    def test_when_one_part_fails_the_others_are_on_record(self, session: Session) -> None:
        (error,) = session.outcomes(Row([None, TimedOut("late"), None], max_n=2), row(6))
        assert repr(error) == repr(TimedOut("late"))
        assert sorted(session.recorded) == [(0, 2, ""), (2, 2, "TimedOut"), (4, 2, "")]
        (replayed,) = session.outcomes(None, row(6))
        assert repr(replayed) == repr(error)
        model = Row(max_n=2)
        (reply,) = session.ask(model, row(6))
        assert model.places == [(2, 2)]
        assert reply.texts == texts(*range(6))

    @pytest.mark.parametrize("failing", [(0, 1), (0, 3), (1, 2), (2, 3)])
    def test_when_several_fail_the_same_one_is_told_live_and_in_a_replay(
        self, session: Session, failing: tuple[int, ...]
    ) -> None:
        errors = [RateLimited(f"part {i}") if i in failing else None for i in range(4)]
        (live,) = session.outcomes(Row(errors, max_n=1), row(4))
        (replayed,) = session.outcomes(None, row(4))
        assert repr(replayed) == repr(live)
        model = Row(max_n=1)
        session.ask(model, row(4))
        assert model.places == [(i, 1) for i in failing]

    def test_a_mistake_of_the_configuration_comes_before_failures(self, session: Session) -> None:
        (error,) = session.outcomes(Row([TimedOut("late"), ConfigError("no key")], max_n=1), row(2))
        assert repr(error) == repr(ConfigError("no key"))
        assert session.recorded == [(0, 1, "TimedOut")]


class TestAtTheSameTime:
    def test_identical_requests_are_sent_once(self, session: Session) -> None:
        model = Row()
        replies = session.outcomes(model, *[row(2)] * 5)
        assert model.places == [(0, 2)]
        assert replies == [replies[0]] * 5
        assert session.paid == 1

    def test_requests_for_more_of_the_same_row_wait_and_draw_the_rest(
        self, session: Session
    ) -> None:
        model = Row()
        replies = session.outcomes(model, row(2), row(4), row(3), row(1, start=5))
        assert model.places == [(0, 2), (2, 2), (5, 1)]
        assert [reply.texts for reply in replies] == [
            texts(*places) for places in ((0, 1), (0, 1, 2, 3), (0, 1, 2), (5,))
        ]

    def test_different_requests_do_not_wait_for_each_other(self, session: Session) -> None:
        model = Row()
        session.outcomes(model, *(row(1, seed=seed) for seed in range(5)))
        assert model.most == 5

    def test_when_the_first_fails_the_others_fail_alike_and_do_not_ask(
        self, session: Session
    ) -> None:
        model = Row([ContextTooLong("9000 tokens")])
        errors = session.outcomes(model, *[row(1)] * 3)
        assert [repr(error) for error in errors] == [repr(ContextTooLong("9000 tokens"))] * 3
        assert model.places == [(0, 1)]
        assert session.recorded == [(0, 1, "ContextTooLong")]

    def test_when_the_first_is_cancelled_the_next_one_asks(self, session: Session) -> None:
        model = Row()
        model.hold.clear()

        async def use(recorded: Recorded) -> list[Completions]:
            first, *others = (
                asyncio.create_task(recorded.complete(PROMPT, row(1))) for _ in range(3)
            )
            await quiet()
            first.cancel()
            await quiet()
            model.hold.set()
            with pytest.raises(asyncio.CancelledError):
                await first
            return [await other for other in others]

        replies = session(model, use)
        assert model.places == [(0, 1), (0, 1)]
        assert [reply.texts for reply in replies] == [texts(0)] * 2
        assert session.recorded == [(0, 1, "")]

    def test_when_one_that_waits_is_cancelled_the_first_goes_on(self, session: Session) -> None:
        model = Row()
        model.hold.clear()

        async def use(recorded: Recorded) -> Completions:
            first, second = (
                asyncio.create_task(recorded.complete(PROMPT, row(1))) for _ in range(2)
            )
            await quiet()
            second.cancel()
            await quiet()
            model.hold.set()
            return await first

        assert session(model, use).texts == texts(0)
        assert model.places == [(0, 1)]


class TestFailures:
    def test_a_failure_is_not_tried_again_in_this_session_but_in_the_next(
        self, session: Session
    ) -> None:
        async def thrice(recorded: Recorded) -> list[str]:
            said = []
            for _ in range(3):
                with pytest.raises(TimedOut) as failed:
                    await recorded.complete(PROMPT, row(1))
                said.append(str(failed.value))
            return said

        model = Row([TimedOut("after 30 s"), None])
        assert session(model, thrice) == ["after 30 s"] * 3
        assert model.places == [(0, 1)]
        (reply,) = session.ask(model, row(1))
        assert reply.texts == texts(0)
        assert session.recorded == [(0, 1, "TimedOut"), (0, 1, "")]

    def test_samples_that_are_there_are_given_out_when_more_of_them_failed(
        self, session: Session
    ) -> None:
        async def use(recorded: Recorded) -> tuple[str, ...]:
            await recorded.complete(PROMPT, row(2))
            with pytest.raises(TimedOut):
                await recorded.complete(PROMPT, row(3))
            return (await recorded.complete(PROMPT, row(2))).texts

        assert session(Row([None, TimedOut("late")]), use) == texts(0, 1)

    def test_a_failures_earlier_tries_are_recorded(self, session: Session) -> None:
        error = TimedOut("late (3 tries)")
        error.retried = ("RateLimited", "TimedOut")
        session.outcomes(Row([error]), row(1))
        ((call, _),) = read_calls(session.path)
        assert call.retried == error.retried
        assert call.reply is None

    def test_whatever_a_third_partys_model_raises_is_a_model_error(self, session: Session) -> None:
        cause = KeyError("choices")
        (error,) = session.outcomes(Row([cause]), row(1))
        assert repr(error) == repr(ModelError("asking row: KeyError: 'choices'"))
        assert error.__cause__ is cause
        assert session.recorded == [(0, 1, "ModelError")]

    @pytest.mark.parametrize("kind", [ConfigError, DataError])
    def test_what_ends_the_run_passes_through_unrecorded(
        self, session: Session, kind: type[Exception]
    ) -> None:
        model = Row([kind("no key")] * 2)
        errors = session.outcomes(model, row(1), row(1))
        assert [repr(error) for error in errors] == [repr(kind("no key"))] * 2
        assert session.recorded == []
        session.ask(model, row(1))
        assert session.recorded == [(0, 1, "")]

    @pytest.mark.parametrize("given", [0, 1, 3])
    def test_a_model_that_gives_another_number_of_replies_has_failed(
        self, session: Session, given: int
    ) -> None:
        class Miscounting(Row):
            async def complete(
                self, messages: Sequence[Message], sampling: Sampling
            ) -> Completions:
                return Completions(texts=("x",) * given, usage=COST)

        (error,) = session.outcomes(Miscounting(), row(2))
        assert isinstance(error, ModelError)
        assert str(error) == f"row was asked for 2 replies and gave {given}"
        assert session.recorded == [(0, 2, type(error).__name__)]

    def test_a_model_that_gives_something_else_has_failed(self, session: Session) -> None:
        class Talking(Row):
            async def complete(
                self, messages: Sequence[Message], sampling: Sampling
            ) -> Completions:
                return "hello"  # type: ignore[return-value]  # as a third party's might

        (error,) = session.outcomes(Talking(), row(1))
        assert isinstance(error, ModelError)
        assert "str" in str(error)

    def test_a_model_that_gives_half_a_character_has_failed(self, session: Session) -> None:
        class Halving(Row):
            async def complete(
                self, messages: Sequence[Message], sampling: Sampling
            ) -> Completions:
                return Completions(texts=("\ud83d",), usage=COST)

        (error,) = session.outcomes(Halving(), row(1))
        assert isinstance(error, ModelError)
        assert "surrogates not allowed" in str(error)
        assert session.recorded == [(0, 1, "ModelError")]

    def test_a_full_disk_is_told_and_not_mistaken_for_a_failure_of_the_model(
        self, session: Session
    ) -> None:
        model = Row()
        session.ask(model, row(1))

        async def use(recorded: Recorded) -> Completions:
            with (
                no_file_above(session.path.stat().st_size + 20),
                pytest.raises(OSError, match=FULL),
            ):
                await recorded.complete(PROMPT, row(2))
            return await recorded.complete(PROMPT, row(2))

        assert session(model, use, task={"calls": 9}).texts == texts(0, 1)
        assert session.recorded == [(0, 1, ""), (1, 1, "")]


class TestReplay:
    def test_nothing_is_called_and_everything_is_as_it_was(self, session: Session) -> None:
        wanted = row(2), row(3), row(1, seed=1), row(1, seed=2)
        model = Row([None, None, RateLimited("status 429 (6 tries)")], max_n=2)
        live = session.outcomes(model, *wanted)
        before = session.path.read_bytes()
        replayed = session.outcomes(None, *wanted)
        assert list(map(repr, replayed)) == list(map(repr, live))
        assert isinstance(replayed[-1], RateLimited)
        assert session.path.read_bytes() == before

    def test_an_unknown_request_is_told_apart_from_a_failed_one(self, session: Session) -> None:
        session.ask(Row(), row(2))

        async def use(recorded: Recorded) -> None:
            with task_scope(ONE):
                await recorded.complete(PROMPT, row(3))

        with pytest.raises(ReplayError, match=r"calls\.jsonl: holds no such call \(task 'toy/dev"):
            session(None, use)

    def test_an_error_of_a_third_partys_own_class_comes_back_as_a_model_error(
        self, session: Session
    ) -> None:
        class FancyError(ModelError):
            """Of a third party."""

            def __init__(self, status: int, text: str) -> None:
                super().__init__(f"{status}: {text}")

        async def twice(recorded: Recorded) -> list[str]:
            asked = (recorded.complete(PROMPT, row(1)) for _ in range(2))
            return list(map(repr, await asyncio.gather(*asked, return_exceptions=True)))

        assert session(Row([FancyError(418, "tea")]), twice) == [
            "FancyError('418: tea')",
            "ModelError('418: tea')",
        ]
        assert session(None, twice) == ["ModelError('418: tea')"] * 2


class TestCancelled:
    @pytest.mark.parametrize("max_n", [None, 1])
    def test_a_cancelled_call_leaves_no_record_and_frees_its_budget(
        self, session: Session, max_n: int | None
    ) -> None:
        model = Row(max_n=max_n)
        model.hold.clear()

        async def use(recorded: Recorded) -> Completions:
            with task_scope(ONE):
                call = asyncio.create_task(recorded.complete(PROMPT, row(2)))
                await quiet()
                assert model.now == (max_n or 0) + 1
                call.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await call
                assert model.now == 0
                model.hold.set()
                return await recorded.complete(PROMPT, row(2))

        assert session(model, use, task={"calls": 2}, run={"calls": 2}).texts == texts(0, 1)
        assert len(session.recorded) == (2 if max_n else 1)


def spend(
    n: int, task: Task | None = ONE, *, first: int = 0, together: bool = True
) -> Callable[[Recorded], Coroutine[Any, Any, list[Any]]]:
    """Ask ``n`` different things on behalf of ``task``; replies and errors."""

    async def one(recorded: Recorded, seed: int) -> Completions:
        if task is None:
            return await recorded.complete(PROMPT, row(1, seed=seed))
        with task_scope(task):
            return await recorded.complete(PROMPT, row(1, seed=seed))

    async def use(recorded: Recorded) -> list[Any]:
        seeds = range(first, first + n)
        if together:
            return await asyncio.gather(
                *(one(recorded, seed) for seed in seeds), return_exceptions=True
            )
        return [
            (await asyncio.gather(one(recorded, seed), return_exceptions=True))[0] for seed in seeds
        ]

    return use


def kinds(outcomes: Sequence[Any]) -> list[str]:
    return [type(outcome).__name__ for outcome in outcomes]


class TestBudget:
    @pytest.mark.parametrize("manner", ["together", "one by one"])
    @pytest.mark.parametrize(
        ("scope", "error"), [("task", "TaskBudgetSpent"), ("run", "RunBudgetSpent")]
    )
    def test_a_cap_on_calls_is_used_up_and_never_passed(
        self, session: Session, scope: str, error: str, manner: str
    ) -> None:
        model = Row()
        caps: dict[str, Any] = {scope: {"calls": 7}}
        outcomes = session(model, spend(30, together=manner == "together"), **caps)
        assert kinds(outcomes) == ["Completions"] * 7 + [error] * 23
        assert session.paid == len(model.asked) == 7

    def test_every_task_has_its_own_cap_and_all_share_the_runs(self, session: Session) -> None:
        async def use(recorded: Recorded) -> list[list[str]]:
            parts = (spend(4, ONE), spend(4, TWO, first=10), spend(4, None, first=20))
            return [kinds(await part(recorded)) for part in parts]

        one, two, nobody = session(Row(), use, task={"calls": 3}, run={"calls": 7})
        assert one == two == ["Completions"] * 3 + ["TaskBudgetSpent"]
        assert nobody == ["Completions"] + ["RunBudgetSpent"] * 3, "outside of tasks the run pays"

    def test_calls_outside_of_tasks_have_no_cap_of_a_task(self, session: Session) -> None:
        outcomes = session(Row(), spend(5, None), task={"calls": 2})
        assert kinds(outcomes) == ["Completions"] * 5

    def test_what_earlier_sessions_spent_counts_and_a_raised_cap_goes_on(
        self, session: Session
    ) -> None:
        model = Row()
        session(model, spend(3), task={"calls": 5})
        outcomes = session(model, spend(9), task={"calls": 5})
        assert kinds(outcomes) == ["Completions"] * 5 + ["TaskBudgetSpent"] * 4
        assert len(model.asked) == 5
        outcomes = session(model, spend(9), task={"calls": 8})
        assert kinds(outcomes) == ["Completions"] * 8 + ["TaskBudgetSpent"]
        assert len(model.asked) == 8

    def test_what_is_in_the_journal_is_given_out_when_nothing_is_left(
        self, session: Session
    ) -> None:
        session(Row(), spend(3))
        assert kinds(session(Row(), spend(3), run={"calls": 1})) == ["Completions"] * 3

    @pytest.mark.parametrize("caps", [{"tokens": 330}, {"dollars": 0.75}])
    def test_tokens_and_dollars_end_with_the_last_call_that_fits(
        self, session: Session, caps: dict[str, float]
    ) -> None:
        model = Row()  # 110 tokens and a quarter a call
        outcomes = session(model, spend(6, together=False), task=caps)
        assert kinds(outcomes) == ["Completions"] * 3 + ["TaskBudgetSpent"] * 3
        assert len(model.asked) == 3

    def test_many_calls_at_once_stay_within_a_cap_on_tokens_when_one_has_shown_the_cost(
        self, session: Session
    ) -> None:
        async def use(recorded: Recorded) -> list[Any]:
            await spend(1)(recorded)
            return await spend(50)(recorded)

        outcomes = session(Row(), use, run={"tokens": 1000})
        assert kinds(outcomes) == ["Completions"] * 9 + ["RunBudgetSpent"] * 41

    def test_failures_use_nothing_up(self, session: Session) -> None:
        model = Row([TimedOut("late")] * 5)
        outcomes = session(model, spend(8, together=False), task={"calls": 2})
        assert kinds(outcomes) == ["TimedOut"] * 5 + ["Completions"] * 2 + ["TaskBudgetSpent"]

    def test_parts_of_a_request_count_one_by_one(self, session: Session) -> None:
        model = Row(max_n=1)
        (error,) = session.outcomes(model, row(5), run={"calls": 3})
        assert isinstance(error, RunBudgetSpent)
        assert session.paid == 3
        (reply,) = session.ask(model, row(5), run={"calls": 5})
        assert reply.texts == texts(*range(5))
        assert session.paid == 5

    def test_the_message_says_which_cap_and_what_to_do(self, session: Session) -> None:
        *_, error = session(Row(), spend(2), task={"calls": 1})
        assert str(error) == (
            "budget.task.calls: the cap of 1 leaves no room for another call; "
            "raise it and run again to go on"
        )

    def test_a_replay_ends_where_the_budget_ended_the_run(self, session: Session) -> None:
        live = session(Row(), spend(4), task={"calls": 2})
        replayed = session(None, spend(4))
        assert list(map(repr, replayed)) == list(map(repr, live))
        assert kinds(replayed)[2:] == ["TaskBudgetSpent"] * 2

    def test_one_task_without_means_does_not_stop_another_with_the_same_question(
        self, session: Session
    ) -> None:
        async def use(recorded: Recorded) -> list[str]:
            await spend(1)(recorded)
            refused = await spend(1, first=5)(recorded)
            answered = await spend(1, TWO, first=5)(recorded)
            return kinds(refused + answered)

        assert session(Row(), use, task={"calls": 1}) == ["TaskBudgetSpent", "Completions"]

    def test_a_model_that_counts_no_calls_is_capped_all_the_same(self, session: Session) -> None:
        outcomes = session(Row(usage=Usage()), spend(4), task={"calls": 2})
        assert kinds(outcomes) == ["Completions"] * 2 + ["TaskBudgetSpent"] * 2
        assert outcomes[0].usage == Usage(calls=1)


ASKED = st.lists(
    st.tuples(st.integers(1, 4), st.integers(0, 4), st.integers(0, 1), st.integers(0, 5)),
    min_size=1,
    max_size=8,
)
"""n, start, seed, and 0 where the model would fail."""


@settings(max_examples=25, deadline=None)
@given(
    ASKED,
    st.sampled_from([None, 1, 2]),
    st.integers(1, 8),
    st.sampled_from(["together", "one by one"]),
)
def test_whatever_is_asked_in_whatever_sessions_nothing_is_drawn_twice_and_all_is_as_in_the_row(
    tmp_path_factory: pytest.TempPathFactory,
    asked: list[tuple[int, int, int, int]],
    max_n: int | None,
    restart: int,
    manner: str,
) -> None:
    session = Session(tmp_path_factory.mktemp("run") / "calls.jsonl")
    model = Row([None if luck else TimedOut("late") for *_, luck in asked], max_n=max_n)
    wanted = [row(n, start, seed=seed) for n, start, seed, _ in asked]
    for part in (wanted[:restart], wanted[restart:], *[wanted] * len(wanted)):
        if manner == "together":
            outcomes = session.outcomes(model, *part)
        else:
            outcomes = [session.outcomes(model, sampling)[0] for sampling in part]
        for sampling, outcome in zip(part, outcomes, strict=True):
            if isinstance(outcome, TimedOut):
                continue
            assert outcome.texts == texts(*sampling.ordinals, seed=sampling.seed)
    drawn = [
        (call.sampling.seed, ordinal)
        for call, _ in read_calls(session.path)
        if call.reply is not None
        for ordinal in call.sampling.ordinals
    ]
    assert len(drawn) == len(set(drawn))
    assert session.ask(None, *wanted) == session.ask(model, *wanted)
