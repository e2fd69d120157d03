"""A chat model that sees what an environment draws.

Trajectories and journals hold short references of images (``webshop:item/...``); the images are
made when a model is really asked, and are gone afterwards.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from armap.protocols import ChatModel
    from armap.types import Completions, Message, Sampling

__all__ = ["Illustrated", "illustrate"]


class Illustrated:
    """A :class:`~armap.protocols.ChatModel` around another one.

    Args:
        model: answers.
        picture: an environment's reference of an image as a path or a ``data:`` URL; other
            texts as they are.
    """

    def __init__(self, model: ChatModel, picture: Callable[[str], str]) -> None:
        self.name = model.name
        self.max_n = getattr(model, "max_n", None)
        self._model = model
        self._picture = picture

    async def complete(self, messages: Sequence[Message], sampling: Sampling) -> Completions:
        """Ask the model, with images in place of references.

        Raises:
            ModelError: the model could not answer.
            DataError: a reference cannot be drawn.
        """
        return await self._model.complete(illustrate(messages, self._picture), sampling)

    async def close(self) -> None:
        """Close the model. Idempotent."""
        await self._model.close()


def illustrate(messages: Sequence[Message], picture: Callable[[str], str]) -> list[Message]:
    """The messages with images in place of references.

    >>> from armap.types import Message
    >>> shown = illustrate([Message(role="user", content="", images=("shop:1",))], str.upper)
    >>> shown[0].images
    ('SHOP:1',)
    """
    return [
        message.model_copy(update={"images": tuple(map(picture, message.images))})
        if message.images
        else message
        for message in messages
    ]
