"""The ledger under every chat model: a journal of all calls, budgets, and who is calling."""

from __future__ import annotations

from armap.calls.budget import Account, Budget, BudgetConfig, Prices
from armap.calls.journal import JOURNAL, Call, Journal, read_calls
from armap.calls.ledger import Ledger, counted, failed_calls, read_ledger
from armap.calls.recorded import Recorded
from armap.calls.scope import Scope, current_scope, session_scope, task_scope

__all__ = [
    "JOURNAL",
    "Account",
    "Budget",
    "BudgetConfig",
    "Call",
    "Journal",
    "Ledger",
    "Prices",
    "Recorded",
    "Scope",
    "counted",
    "current_scope",
    "failed_calls",
    "read_calls",
    "read_ledger",
    "session_scope",
    "task_scope",
]
