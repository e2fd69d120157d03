"""Language models of a few thousand random weights, one per family, and a tokenizer of letters."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import CONFIG_MAPPING, AutoModelForCausalLM, PreTrainedTokenizerFast

__all__ = ["FAMILIES", "letter_tokenizer", "save_tiny_text", "scramble", "tiny_sizes"]

_TEMPLATE = """\
{% for message in messages %}[{{ message.role }}] {{ message.content + '\\n' }}{% endfor %}\
{% if add_generation_prompt %}[assistant] {% endif %}"""

_WINDOW = {"sliding_window": 8}
_HALVES = {"layer_types": ["sliding_attention", "full_attention"]}
_LATENT = {
    "num_key_value_heads": 4,
    "kv_lora_rank": 16,
    "q_lora_rank": 16,
    "qk_rope_head_dim": 8,
    "qk_nope_head_dim": 8,
    "v_head_dim": 4,
    "head_dim": 8,
    "first_k_dense_replace": 2,
}
_GPT2 = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 512}

FAMILIES: dict[str, dict[str, Any]] = {
    "llama": {},
    "qwen2": {},
    "qwen3": {},
    "mistral": _WINDOW,
    "gemma2": _WINDOW | _HALVES,
    "gemma3_text": _WINDOW | _HALVES,
    "mixtral": {"num_local_experts": 4},
    "deepseek_v3": _LATENT,
    "gpt2": _GPT2,
    "bloom": {"n_layer": 2, "n_head": 4},
    "mamba": {"state_size": 8, "expand": 2},
    "qwen3_next": {
        "layer_types": ["linear_attention", "full_attention"],
        "num_experts": 4,
        "num_experts_per_tok": 2,
        "moe_intermediate_size": 32,
        "shared_expert_intermediate_size": 32,
        "linear_num_value_heads": 4,
        "linear_num_key_heads": 4,
        "linear_key_head_dim": 8,
        "linear_value_head_dim": 8,
    },
}
"""What each family needs beyond :func:`tiny_sizes`."""


def save_tiny_text(family: str, folder: Path) -> Path:
    """Write a random model of ``family`` and a tokenizer to ``folder``."""
    tokenizer = letter_tokenizer()
    tokenizer.chat_template = _TEMPLATE
    sizes = tiny_sizes(tokenizer) | FAMILIES[family]
    if family == "gpt2":
        sizes = {name: size for name, size in sizes.items() if not name.startswith("num_")}
    model = AutoModelForCausalLM.from_config(CONFIG_MAPPING[family](**sizes))
    scramble(model)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def scramble(model: Any) -> None:
    """Weights large enough that prompts matter and rounding rarely decides."""
    torch.manual_seed(0)
    for parameter in model.parameters():
        if parameter.dim() > 1:
            torch.nn.init.normal_(parameter, std=0.2)


def letter_tokenizer(special: Sequence[str] = (), **named: str) -> Any:
    """One token per ASCII letter or sign, and the special ones; ``named`` become its attributes."""
    tokens = ["<pad>", "<s>", "</s>", *special]
    letters = [*map(chr, range(33, 127)), "Ġ", "Ċ"]
    vocabulary = {token: index for index, token in enumerate([*tokens, *letters])}
    inner = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    inner.decoder = decoders.ByteLevel()
    inner.add_special_tokens(tokens)
    return PreTrainedTokenizerFast(
        tokenizer_object=inner,
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        extra_special_tokens=named or None,
    )


def tiny_sizes(tokenizer: Any) -> dict[str, Any]:
    """A text model of two layers, in the names that most configs share."""
    return {
        "vocab_size": len(tokenizer),
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 8,
        "max_position_embeddings": 512,
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
    }
