"""Settings of WebShop."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from armap.types import Record

__all__ = ["EMBEDDED", "Profile", "Protocol", "View", "WebShopConfig"]

EMBEDDED = "embedded"
"""The value of ``data`` that asks for the generated catalogue."""

Profile = Literal["faithful", "strict"]
View = Literal["text", "text_rich", "html_text"]
Protocol = Literal["agentbench", "paper", "ids", "product"]


class WebShopConfig(Record):
    """Settings of WebShop; ``envs/webshop/README.md`` explains each."""

    kind: Literal["webshop"] = "webshop"
    data: str = EMBEDDED
    """Folder of the official files, or ``embedded`` for the generated catalogue."""
    size: Literal["auto", "small", "full"] = "auto"
    """Which files of a folder: those ending in ``_1000``, or the full ones."""
    num_products: int | None = Field(default=None, gt=0)
    """Use only so many products, the first of the file."""
    index: str | None = None
    """Folder for the on-disk index of a large catalogue; None for one beside the data."""
    goals: Literal["human", "synthetic"] = "human"
    profile: Profile = "faithful"
    seed: int = 0
    """Of hidden prices and price caps, and so of the instructions' price bounds."""
    observation: View = "text"
    images: Literal["off", "page"] = "off"
    """Whether observations refer to a picture of their page, for models that see."""
    pictures: str | None = None
    """Folder of product pictures, ``ASIN.jpg`` and the like; None to draw signs instead."""
    typeface: str | None = None
    """TrueType file for the pictures' text; None for the one of Pillow, which has few letters
    beyond ASCII."""
    show_attrs: bool = False
    """Offer the ``attributes`` sub-page, which the original hides by default."""
    max_steps: int | None = Field(default=10, gt=0)
    """The episode is over after so many actions; None for no end, as in the original."""
    protocol: Protocol | None = None
    """What the splits mean; None for ``product`` with the embedded catalogue, else
    ``agentbench``."""
    ids: str | None = None
    """File of goal indices, for ``protocol: ids``."""
    nouns: Literal["spacy", "rule", "stub"] = "rule"
    """Who tells nouns when evaluation compares titles; named in every outcome."""
    spacy_model: str = "en_core_web_sm"
    """The installed pipeline of ``nouns: spacy``."""

    @property
    def splits(self) -> Protocol:
        """What the splits mean, with the default resolved."""
        if self.protocol is not None:
            return self.protocol
        return "product" if self.data == EMBEDDED else "agentbench"

    @model_validator(mode="after")
    def _ids_with_their_protocol(self) -> WebShopConfig:
        if (self.protocol == "ids") != (self.ids is not None):
            raise ValueError("protocol: ids and ids: FILE belong together")
        return self
