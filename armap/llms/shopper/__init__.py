"""A shopper without a language model: for WebShop offline, in tests, and to try planners on."""

from armap.llms.shopper.model import Shopper, ShopperConfig

__all__ = ["Shopper", "ShopperConfig"]
