"""From trajectories to preference pairs, without human labels."""

from armap.synthesize.hindsight import HindsightConfig, hindsight

__all__ = ["HindsightConfig", "hindsight"]
