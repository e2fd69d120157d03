"""The interaction loop, and the live episodes below it."""

from armap.rollout.episode import Episode, Opening
from armap.rollout.live import Counts, Point
from armap.rollout.replay import replay
from armap.rollout.runner import Runner

__all__ = ["Counts", "Episode", "Opening", "Point", "Runner", "replay"]
