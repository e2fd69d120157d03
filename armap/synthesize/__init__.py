"""From trajectories to preference pairs, without human labels."""

from typing import Annotated

from pydantic import Field

from armap.synthesize.hindsight import HindsightConfig, hindsight
from armap.synthesize.webshop import WebShopHindsightConfig, webshop_hindsight

__all__ = [
    "HindsightConfig",
    "SynthesisConfig",
    "WebShopHindsightConfig",
    "hindsight",
    "webshop_hindsight",
]

SynthesisConfig = Annotated[
    HindsightConfig | WebShopHindsightConfig, Field(discriminator="strategy")
]
