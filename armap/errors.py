"""Everything armap raises on purpose.

ArmapError
|- ConfigError        the user asked for something that does not exist or cannot work
|- DataError          a record on disk or on the wire does not match its schema
`- BoundaryError      code or a service we do not own failed; recorded, never swallowed
   |- EnvError        an environment raised, hung or diverged
   |- ModelError      a chat model could not answer
   `- RewardError     a reward model could not score

At a boundary (an environment, an endpoint, a model) a failure becomes data: the rollout
records it in ``Trajectory.failure``. Everywhere else it is an exception, and the command
line turns it into one line: exit code 2 for the user's mistakes, 1 for failures.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = [
    "ArmapError",
    "BoundaryError",
    "ConfigError",
    "DataError",
    "EnvError",
    "ModelError",
    "RewardError",
    "boundary",
]


class ArmapError(Exception):
    """Base of every error armap raises on purpose."""


class ConfigError(ArmapError, ValueError):
    """A configuration value is unknown, missing or contradictory."""


class DataError(ArmapError, ValueError):
    """A stored or received record does not match its schema."""


class BoundaryError(ArmapError, RuntimeError):
    """Code on the far side of a protocol failed."""


class EnvError(BoundaryError):
    """An environment raised, hung, died or diverged on replay."""


class ModelError(BoundaryError):
    """A chat model could not answer."""


class RewardError(BoundaryError):
    """A reward model could not score."""


@contextmanager
def boundary(kind: type[BoundaryError], what: str) -> Generator[None, None, None]:
    """Attribute any error escaping the block to ``kind``; typed errors pass through.

    >>> with boundary(ModelError, "calling the policy"):
    ...     raise TimeoutError("30 s")
    Traceback (most recent call last):
    ...
    armap.errors.ModelError: calling the policy: TimeoutError: 30 s
    """
    try:
        yield
    except ArmapError:
        raise
    except Exception as error:
        raise kind(f"{what}: {type(error).__name__}: {error}") from error
