"""Caps hold, whatever is in flight."""

from __future__ import annotations

from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from armap.calls.budget import Account, Budget, BudgetConfig, Meter, Prices
from armap.errors import BudgetSpent, RunBudgetSpent, TaskBudgetSpent
from armap.types import Usage

USED = Usage(calls=1, prompt_tokens=1000, cached_tokens=600, completion_tokens=100)


class TestPrices:
    @pytest.mark.parametrize(
        ("prices", "dollars"),
        [
            (Prices(), 0.0),
            (Prices(input=2.0), 0.002),
            (Prices(output=8.0), 0.0008),
            (Prices(input=2.0, output=8.0), 0.0028),
            (Prices(input=2.0, cached_input=0.5, output=8.0), 0.0008 + 0.0003 + 0.0008),
            (Prices(input=2.0, cached_input=0.0), 0.0008),
        ],
    )
    def test_tokens_cost_what_their_kind_costs(self, prices: Prices, dollars: float) -> None:
        assert prices.dollars(USED) == pytest.approx(dollars)

    def test_a_server_that_counts_more_cached_tokens_than_tokens_pays_nothing_back(self) -> None:
        odd = Usage(calls=1, prompt_tokens=10, cached_tokens=1000)
        assert Prices(input=2.0, cached_input=0.0).dollars(odd) == 0.0

    @pytest.mark.parametrize("field", ["input", "cached_input", "output"])
    @pytest.mark.parametrize("value", [-1.0, nan, inf])
    def test_a_price_is_a_number_no_less_than_nothing(self, field: str, value: float) -> None:
        with pytest.raises(ValidationError):
            Prices.model_validate({field: value})


class TestRoom:
    SPENT = Usage(calls=5, prompt_tokens=400, completion_tokens=100, dollars=0.5)
    TYPICAL = Usage(calls=4, prompt_tokens=90, completion_tokens=10, dollars=0.1)

    @pytest.mark.parametrize(
        ("budget", "room"),
        [
            (Budget(), None),
            (Budget(calls=20), 3),
            (Budget(calls=21), 4),
            (Budget(calls=8), 0),
            (Budget(calls=5), 0),
            (Budget(calls=3), 0),
            (Budget(tokens=500), 0),
            (Budget(tokens=599), 0),
            (Budget(tokens=600), 1),
            (Budget(dollars=0.8), 3),
            (Budget(dollars=0.6), 1),
            (Budget(calls=100, tokens=800, dollars=9.0), 3),
        ],
    )
    def test_the_tightest_cap_decides(self, budget: Budget, room: int | None) -> None:
        assert budget.room(self.SPENT, self.TYPICAL) == room

    def test_what_costs_nothing_fits_any_number_of_times(self) -> None:
        assert Budget(dollars=1.0).room(self.SPENT, Usage(calls=1)) is None

    def test_it_knows_whether_there_is_any_cap(self) -> None:
        assert not Budget().limited
        assert Budget(calls=1).limited
        assert Budget(tokens=1).limited
        assert Budget(dollars=0.1).limited

    @pytest.mark.parametrize("field", ["calls", "tokens", "dollars"])
    @pytest.mark.parametrize("value", [0, -1, nan, inf])
    def test_a_cap_is_more_than_nothing_and_an_end(self, field: str, value: float) -> None:
        with pytest.raises(ValidationError):
            BudgetConfig.model_validate({"task": {field: value}})


def meter(account: Account, **caps: float) -> Meter:
    return Meter(Budget.model_validate(caps), account, TaskBudgetSpent, "budget.task")


def account(*costs: Usage) -> Account:
    made = Account()
    for cost in costs:
        made.add(cost)
    return made


class TestMeter:
    @pytest.mark.parametrize(
        ("caps", "said"),
        [
            ({"calls": 1}, "budget.task.calls: the cap of 1 "),
            ({"tokens": 1100}, "budget.task.tokens: the cap of 1,100 "),
            ({"dollars": 0.5}, "budget.task.dollars: the cap of 0.5 "),
            (
                {"calls": 9, "dollars": 0.25},
                "budget.task.dollars: the cap of 0.25 ",
            ),
        ],
    )
    def test_the_cap_that_is_reached_is_named(self, caps: dict[str, float], said: str) -> None:
        spent = account(USED.model_copy(update={"dollars": 0.5}))
        with pytest.raises(TaskBudgetSpent) as refused:
            meter(spent, **caps).take_off()
        assert str(refused.value) == (
            f"{said}leaves no room for another call; raise it and run again to go on"
        )

    def test_the_runs_error_is_another_one(self) -> None:
        with pytest.raises(RunBudgetSpent, match=r"budget\.run\.calls: the cap of 1 "):
            Meter(Budget(calls=1), account(USED), RunBudgetSpent, "budget.run").take_off()

    def test_a_million_is_written_out(self) -> None:
        spent = account(Usage(calls=1, prompt_tokens=1_234_567))
        with pytest.raises(TaskBudgetSpent, match="the cap of 1,234,567 leaves"):
            meter(spent, tokens=1_234_567).take_off()

    def test_calls_in_flight_count(self) -> None:
        spent = account(USED)
        three = meter(spent, calls=3)
        three.take_off()
        three.take_off()
        with pytest.raises(TaskBudgetSpent):
            three.take_off()
        three.land()  # it failed and cost nothing
        three.take_off()
        spent.add(USED)
        three.land()
        with pytest.raises(TaskBudgetSpent):
            three.take_off()

    @pytest.mark.parametrize("caps", [{"tokens": 350}, {"dollars": 0.35}])
    def test_calls_in_flight_count_as_the_mean_of_those_before(
        self, caps: dict[str, float]
    ) -> None:
        cost = Usage(calls=1, prompt_tokens=100, dollars=0.1)
        tight = meter(account(cost), **caps)
        tight.take_off()
        tight.take_off()
        with pytest.raises(BudgetSpent):
            tight.take_off()

    @pytest.mark.parametrize("calls", [3, 7, 10])
    def test_a_cap_can_be_used_to_its_last_cent(self, calls: int) -> None:
        cost = Usage(calls=1, prompt_tokens=1, dollars=0.1)
        spent = Account()
        exact = meter(spent, dollars=round(0.1 * calls, 1), tokens=calls)
        for _ in range(calls):
            exact.take_off()
            spent.add(cost)
            exact.land()
        with pytest.raises(BudgetSpent):
            exact.take_off()


STEPS = st.lists(st.booleans() | st.integers(1, 100), max_size=60)
"""True: a call wants to start; a number: the oldest in flight ends and costs it; False: fails."""


@given(STEPS, st.integers(1, 12))
def test_a_cap_on_calls_is_never_passed(steps: list[bool | int], cap: int) -> None:
    spent, flying = Account(), 0
    strict = meter(spent, calls=cap)
    for step in steps:
        if step is True:
            try:
                strict.take_off()
            except TaskBudgetSpent:
                assert spent.calls + flying == cap, "refused only when all of it is in use"
            else:
                flying += 1
        elif flying:
            flying -= 1
            strict.land()
            if step:
                spent.add(Usage(calls=1, prompt_tokens=step))
        assert spent.calls + flying <= cap


@given(STEPS, st.integers(1, 2000), st.integers(1, 100))
def test_a_cap_on_tokens_is_not_passed_by_calls_that_cost_the_mean(
    steps: list[bool | int], more: int, cost: int
) -> None:
    cap = cost + more
    spent, flying = account(Usage(calls=1, prompt_tokens=cost)), 0
    soft = meter(spent, tokens=cap)
    for step in steps:
        if step is True:
            try:
                soft.take_off()
            except TaskBudgetSpent:
                assert spent.tokens + (flying + 1) * cost > cap, "refused only when it is no fit"
            else:
                flying += 1
        elif flying:
            flying -= 1
            soft.land()
            if step:
                spent.add(Usage(calls=1, prompt_tokens=cost))
        assert spent.tokens + flying * cost <= cap


@given(st.lists(st.integers(1, 100), min_size=1, max_size=60), st.integers(1, 2000))
def test_a_cap_on_tokens_is_passed_by_one_call_at_most_when_they_come_one_by_one(
    costs: list[int], cap: int
) -> None:
    spent = Account()
    soft = meter(spent, tokens=cap)
    for cost in costs:
        try:
            soft.take_off()
        except TaskBudgetSpent:
            break
        assert spent.tokens < cap
        spent.add(Usage(calls=1, prompt_tokens=cost))
        soft.land()
    assert spent.tokens < cap + max(costs)


class TestAccount:
    def test_it_adds_up_what_records_add_up(self) -> None:
        costs = [USED, Usage(calls=2, dollars=0.5), USED]
        assert account(*costs).usage == sum(costs, Usage())
        assert account(*costs).tokens == sum(costs, Usage()).tokens == 2200
