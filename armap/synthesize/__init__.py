"""From trajectories to preference pairs, without human labels."""

from armap.synthesize.contrast import ContrastConfig, contrast
from armap.synthesize.hindsight import HindsightConfig, hindsight

__all__ = ["ContrastConfig", "HindsightConfig", "contrast", "hindsight"]
