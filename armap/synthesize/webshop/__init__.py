"""Hindsight for WebShop: what was bought is what was wanted, other purchases are its rivals.

===========  ==================================================================
``wishes``   what a purchase shows, and which of it another purchase misses
``intents``  a wish in words
``walks``    a shopping trip as a script, and the scripts of its rivals
``pairs``    the strategy: wishes and walks become verified pairs
===========  ==================================================================
"""

from armap.synthesize.webshop.pairs import WebShopHindsightConfig, webshop_hindsight

__all__ = ["WebShopHindsightConfig", "webshop_hindsight"]
