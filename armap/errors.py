"""Everything armap raises on purpose.

ArmapError
|- ConfigError        the user asked for something that does not exist or cannot work
|  `- ObjectiveError  an objective cannot be read, or has no value for a trajectory
|- DataError          a record on disk or on the wire does not match its schema
|- ReplayError        a replay asks for a call that its journal does not hold
`- BoundaryError      code or a service we do not own failed; recorded, never swallowed
   |- EnvError        an environment raised, hung or diverged
   |- RewardError     a reward model could not score
   `- ModelError      a chat model could not answer
      |- RateLimited         the server asks for fewer calls
      |- ServerFailed        the server failed (status 5xx)
      |- ConnectionFailed    no connection, or it broke
      |- TimedOut            no whole reply in time
      |- MalformedReply      a reply that is cut off, is no JSON or lacks what was asked for
      |- RequestRefused      the server says that the request is wrong
      |  `- ContextTooLong   prompt and reply do not fit into the model's context
      `- BudgetSpent         a cap of the run's budget is reached
         |- TaskBudgetSpent  ... of this task
         `- RunBudgetSpent   ... of the whole run

At a boundary (an environment, an endpoint, a model) a failure becomes data: the rollout
records it in ``Trajectory.failure``. Everywhere else it is an exception, and the command
line turns it into one line: exit code 2 for the user's mistakes, 1 for failures.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

__all__ = [
    "ArmapError",
    "BoundaryError",
    "BudgetSpent",
    "ConfigError",
    "ConnectionFailed",
    "ContextTooLong",
    "DataError",
    "EnvError",
    "MalformedReply",
    "ModelError",
    "ObjectiveError",
    "RateLimited",
    "ReplayError",
    "RequestRefused",
    "RewardError",
    "RunBudgetSpent",
    "ServerFailed",
    "TaskBudgetSpent",
    "TimedOut",
    "boundary",
    "revive",
]


class ArmapError(Exception):
    """Base of every error armap raises on purpose."""


class ConfigError(ArmapError, ValueError):
    """A configuration value is unknown, missing or contradictory."""


class ObjectiveError(ConfigError):
    """An objective cannot be read, or has no value for a trajectory."""


class DataError(ArmapError, ValueError):
    """A stored or received record does not match its schema."""


class ReplayError(ArmapError, LookupError):
    """A replay asks for a call that its journal does not hold."""


class BoundaryError(ArmapError, RuntimeError):
    """Code on the far side of a protocol failed."""


class EnvError(BoundaryError):
    """An environment raised, hung, died or diverged on replay."""


class RewardError(BoundaryError):
    """A reward model could not score."""


class ModelError(BoundaryError):
    """A chat model could not answer.

    Attributes:
        retried: kinds of the failed tries before the one that this error tells of.
        retry_after: seconds after which the server wants to be asked again, if it said so.
    """

    retried: tuple[str, ...] = ()
    retry_after: float | None = None


class RateLimited(ModelError):
    """The server asks for fewer calls (status 429)."""


class ServerFailed(ModelError):
    """The server failed (status 5xx)."""


class ConnectionFailed(ModelError):
    """There is no connection, or it broke before the reply was whole."""


class TimedOut(ModelError):
    """No whole reply in time."""


class MalformedReply(ModelError):
    """A reply that is cut off, is no JSON, or lacks what was asked for."""


class RequestRefused(ModelError):
    """The server says that this request is wrong; sending it again would not help."""


class ContextTooLong(RequestRefused):
    """Prompt and reply do not fit into the model's context."""


class BudgetSpent(ModelError):
    """A cap of the run's budget is reached; the call was not made."""


class TaskBudgetSpent(BudgetSpent):
    """This task has used what one task may."""


class RunBudgetSpent(BudgetSpent):
    """The run has used what it may."""


def _kinds(root: type[BoundaryError]) -> dict[str, type[BoundaryError]]:
    """Every kind of boundary error above by its name; not what others derive from them."""
    found = {root.__name__: root} if root.__module__ == __name__ else {}
    for kind in root.__subclasses__():
        found |= _kinds(kind)
    return found


def revive(kind: str, message: str) -> BoundaryError:
    """The error that was recorded as ``kind`` (its class name) and ``message``.

    >>> revive("TimedOut", "after 30 s")
    TimedOut('after 30 s')
    >>> revive("SomebodysOwn", "no tea")
    BoundaryError('no tea')
    """
    return _kinds(BoundaryError).get(kind, BoundaryError)(message)


class boundary:  # noqa: N801  (used as a statement, and often: a generator costs more)
    """Attribute any error escaping the block to ``kind``; typed errors pass through.

    >>> with boundary(ModelError, "calling the policy"):
    ...     raise TimeoutError("30 s")
    Traceback (most recent call last):
    ...
    armap.errors.ModelError: calling the policy: TimeoutError: 30 s
    """

    __slots__ = ("_kind", "_what")

    def __init__(self, kind: type[BoundaryError], what: str) -> None:
        self._kind = kind
        self._what = what

    def __enter__(self) -> None:
        """Nothing."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(error, Exception) and not isinstance(error, ArmapError):
            raise self._kind(f"{self._what}: {type(error).__name__}: {error}") from error
