"""The interaction loop, and the live episodes below it."""

from armap.rollout.live import Counts, Point, replay
from armap.rollout.runner import Opening, Runner

__all__ = ["Counts", "Opening", "Point", "Runner", "replay"]
