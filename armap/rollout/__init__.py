"""The interaction loop, and the live episodes below it."""

from armap.rollout.episode import Episode, Opening
from armap.rollout.live import Point
from armap.rollout.pool import Counts
from armap.rollout.replay import compare, replay
from armap.rollout.runner import Runner

__all__ = ["Counts", "Episode", "Opening", "Point", "Runner", "compare", "replay"]
