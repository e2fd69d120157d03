"""From trajectories to preference pairs, without human labels."""

from typing import Annotated

from pydantic import Field

from armap.synthesize.contrast import ContrastConfig, contrast
from armap.synthesize.hindsight import HindsightConfig, hindsight
from armap.synthesize.webshop import WebShopHindsightConfig, webshop_hindsight

__all__ = [
    "ContrastConfig",
    "HindsightConfig",
    "SynthesisConfig",
    "WebShopHindsightConfig",
    "contrast",
    "hindsight",
    "webshop_hindsight",
]

SynthesisConfig = Annotated[
    HindsightConfig | WebShopHindsightConfig | ContrastConfig, Field(discriminator="strategy")
]
