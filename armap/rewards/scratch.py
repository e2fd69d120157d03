"""``base: scratch``: a small reward model that starts from nothing, with a tokenizer of its own.

For where no language model can be had. Its words are those of the pairs; pieces of words stand
in for others, so that it reads texts that it was not trained on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field, model_validator

from armap.types import Record

if TYPE_CHECKING:
    from collections.abc import Iterable

    from transformers import PreTrainedTokenizerBase

__all__ = ["SCRATCH", "ScratchConfig", "start"]

SCRATCH = "scratch"
"""The value of ``base`` that asks for it."""

_SPECIAL = {"pad_token": "<|pad|>", "unk_token": "<|unknown|>"}
_ROLES = ["<|user|>", "<|assistant|>", "<|system|>"]
_TEMPLATE = (
    "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


class ScratchConfig(Record):
    """Sizes of the model; the default has some 300,000 parameters, most of them its words."""

    vocabulary: int = Field(default=4000, gt=300)
    width: int = Field(default=64, gt=0)
    layers: int = Field(default=2, gt=0)
    heads: int = Field(default=4, gt=0)
    dropout: float = Field(default=0.0, ge=0.0, lt=1.0)

    @model_validator(mode="after")
    def _whole_heads(self) -> ScratchConfig:
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is not a multiple of heads {self.heads}")
        return self


def start(
    config: ScratchConfig, texts: Iterable[str], *, longest: int, seed: int
) -> tuple[Any, PreTrainedTokenizerBase]:
    """A model with random weights, and a tokenizer trained on ``texts``."""
    import torch

    from armap.rewards.matcher import Matcher, MatcherConfig, register

    register()
    tokenizer = _tokenizer(texts, config.vocabulary)
    torch.manual_seed(seed)
    model = Matcher(
        MatcherConfig(
            vocab_size=len(tokenizer),
            width=config.width,
            layers=config.layers,
            heads=config.heads,
            dropout=config.dropout,
            roles=tokenizer.convert_tokens_to_ids(_ROLES),
            max_position_embeddings=longest,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    return model, tokenizer


def _tokenizer(texts: Iterable[str], vocabulary: int) -> PreTrainedTokenizerBase:
    """Word pieces of lower-case text; digits of a number stay together."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    pieces = Tokenizer(models.WordPiece(unk_token=_SPECIAL["unk_token"]))
    pieces.normalizer = normalizers.Sequence(
        [normalizers.NFKD(), normalizers.StripAccents(), normalizers.Lowercase()]
    )
    pieces.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(
        vocab_size=vocabulary,
        min_frequency=2,
        special_tokens=[*_SPECIAL.values(), *_ROLES],
        show_progress=False,
    )
    pieces.train_from_iterator(texts, trainer=trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=pieces,
        **_SPECIAL,
        additional_special_tokens=_ROLES,
        chat_template=_TEMPLATE,
        clean_up_tokenization_spaces=False,
    )
