"""Vision-language models of a few thousand random weights, with their processors, from configs."""

from __future__ import annotations

from base64 import b64encode
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image
from transformers import (
    AutoModelForImageTextToText,
    CLIPImageProcessorPil,
    CLIPVisionConfig,
    Gemma3Config,
    Gemma3ImageProcessorPil,
    Gemma3Processor,
    Gemma3TextConfig,
    Idefics3Config,
    Idefics3ImageProcessorPil,
    Idefics3Processor,
    LlamaConfig,
    LlavaConfig,
    LlavaProcessor,
)

from tests.tiny_text import letter_tokenizer, scramble, tiny_sizes

__all__ = ["FAMILIES", "data_url", "save_picture", "save_tiny"]

_SIDE = 16
_PATCH = 8
_SPECIAL = {
    "llava": ["<image>"],
    "idefics3": [
        "<image>", "<fake_token_around_image>", "<end_of_utterance>", "<global-img>",
        "<row_1_col_1>",
    ],
    "gemma3": ["<soft>", "<boi>", "<eoi>"],
}  # fmt: skip
_MARK = {"llava": "<image>", "idefics3": "<image>", "gemma3": "<boi>"}
FAMILIES = tuple(_SPECIAL)

_TEMPLATE = """\
{{- bos_token }}{% for message in messages %}[{{ message.role }}] \
{% for part in message.content %}{% if part.type == 'image' %}MARK{% else %}\
{{ part.text + '\\n' }}{% endif %}{% endfor %}{% endfor %}\
{% if add_generation_prompt %}[assistant] {% endif %}"""


def save_tiny(family: str, folder: Path) -> Path:
    """Write a random model of ``family`` and its processor to ``folder``, as a trainer would."""
    tokenizer = _tokenizer(family)
    template = _TEMPLATE.replace("MARK", _MARK[family])
    config, processor = _BUILDERS[family](tokenizer, template)
    model = AutoModelForImageTextToText.from_config(config)
    scramble(model)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def save_picture(path: Path, colour: tuple[int, int, int], size: tuple[int, int] = (20, 20)) -> str:
    """Write an image of one colour; return its path."""
    Image.new("RGB", size, colour).save(path)
    return str(path)


def data_url(colour: tuple[int, int, int]) -> str:
    """An image of one colour as a ``data:`` URL."""
    buffer = BytesIO()
    Image.new("RGB", (20, 20), colour).save(buffer, "png")
    return f"data:image/png;base64,{b64encode(buffer.getvalue()).decode()}"


def _tokenizer(family: str) -> Any:
    named = {"image_token": "<soft>", "boi_token": "<boi>", "eoi_token": "<eoi>"}
    return letter_tokenizer(_SPECIAL[family], **named if family == "gemma3" else {})


_TOWER = {
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": _SIDE,
    "patch_size": _PATCH,
}


def _llava(tokenizer: Any, template: str) -> tuple[Any, Any]:
    config = LlavaConfig(
        vision_config=CLIPVisionConfig(**_TOWER),
        text_config=LlamaConfig(**tiny_sizes(tokenizer)),
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        vision_feature_select_strategy="default",
        vision_feature_layer=-1,
        image_seq_length=4,
    )
    processor = LlavaProcessor(
        image_processor=CLIPImageProcessorPil(
            size={"shortest_edge": _SIDE}, crop_size={"height": _SIDE, "width": _SIDE}
        ),
        tokenizer=tokenizer,
        patch_size=_PATCH,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        image_token="<image>",
        chat_template=template,
    )
    return config, processor


def _idefics3(tokenizer: Any, template: str) -> tuple[Any, Any]:
    config = Idefics3Config(
        vision_config=_TOWER,
        text_config=LlamaConfig(**tiny_sizes(tokenizer)),
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        scale_factor=2,
        pad_token_id=tokenizer.pad_token_id,
    )
    processor = Idefics3Processor(
        image_processor=Idefics3ImageProcessorPil(
            size={"longest_edge": _SIDE},
            max_image_size={"longest_edge": _SIDE},
            do_image_splitting=False,
        ),
        tokenizer=tokenizer,
        image_seq_len=1,
        chat_template=template,
    )
    return config, processor


def _gemma3(tokenizer: Any, template: str) -> tuple[Any, Any]:
    text = Gemma3TextConfig(
        **tiny_sizes(tokenizer),
        sliding_window=8,
        layer_types=["sliding_attention", "full_attention"],
        query_pre_attn_scalar=8,
    )
    config = Gemma3Config(
        vision_config=_TOWER,
        text_config=text,
        mm_tokens_per_image=1,
        boi_token_index=tokenizer.convert_tokens_to_ids("<boi>"),
        eoi_token_index=tokenizer.convert_tokens_to_ids("<eoi>"),
        image_token_index=tokenizer.convert_tokens_to_ids("<soft>"),
    )
    processor = Gemma3Processor(
        image_processor=Gemma3ImageProcessorPil(size={"height": _SIDE, "width": _SIDE}),
        tokenizer=tokenizer,
        image_seq_length=1,
        chat_template=template,
    )
    return config, processor


_BUILDERS = {"llava": _llava, "idefics3": _idefics3, "gemma3": _gemma3}
