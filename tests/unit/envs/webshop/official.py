"""A strict reading of WebShop's three official files: every key, every type, every form."""

from __future__ import annotations

import re
from typing import Any

PRODUCT = {
    "name": str,
    "full_description": str,
    "pricing": str,
    "images": list,
    "product_category": str,
    "average_rating": (str, float, int),
    "small_description": (list, str),
    "customization_options": (str, dict),
    "asin": str,
    "category": str,
    "query": str,
    "page": int,
}
OPTIONAL = {"model": str}
PICTURED = {
    "is_selected": bool,
    "url": (str, type(None)),
    "value": str,
    "price_string": str,
    "price": (int, float),
    "image": (str, type(None)),
}
SIZED = {"is_selected": bool, "is_available": bool, "value": str, "asin": str}
INSTRUCTION = {
    "asin": str,
    "instruction": str,
    "instruction_attributes": list,
    "instruction_options": list,
}
CATEGORIES = {"beauty", "electronics", "fashion", "garden", "grocery"}
PRICE = re.compile(r"(\$[\d,]+\.\d+( - \$[\d,]+\.\d+)?)?")
ASIN = re.compile(r"[A-Z0-9]{10}")


def check_products(products: Any) -> None:
    """``items_shuffle*.json``."""
    assert isinstance(products, list)
    assert products
    for record in products:
        check_product(record)


def check_product(record: Any) -> None:
    keys(record, PRODUCT, OPTIONAL)
    assert ASIN.fullmatch(record["asin"]), record["asin"]
    assert PRICE.fullmatch(record["pricing"]), record["pricing"]
    assert record["category"] in CATEGORIES
    assert record["query"] == record["query"].strip().lower() != ""
    assert (
        all(part.strip() for part in record["product_category"].split("›"))
        or not (record["product_category"])
    )
    rating = record["average_rating"]
    assert rating == "" or 0 <= float(rating) <= 5
    assert record["page"] > 0
    texts(record["images"])
    if isinstance(record["small_description"], list):
        texts(record["small_description"])
    options = record["customization_options"]
    assert options == "" or isinstance(options, dict), options
    for group, values in (options or {}).items():
        assert group.strip()
        check_group(values)


def check_group(values: Any) -> None:
    if values is None:
        return
    assert values
    names = [value["value"] for value in values]
    assert all(isinstance(name, str) and name.strip() for name in names)
    assert sum(value["is_selected"] for value in values) <= 1
    for value in values:
        keys(value, SIZED if "asin" in value else PICTURED)
    assert len({"asin" in value for value in values}) == 1


def check_attributes(attributes: Any) -> None:
    """``items_ins_v2*.json``."""
    assert isinstance(attributes, dict)
    for asin, entry in attributes.items():
        assert ASIN.fullmatch(asin)
        if len(entry) == 1:
            keys(entry, {"attributes": list})
        else:
            keys(entry, {"attributes": list, "instruction": str, "instruction_attributes": list})
            assert entry["instruction"].strip()
            assert set(entry["instruction_attributes"]) <= set(entry["attributes"])
            texts(entry["instruction_attributes"])
        texts(entry["attributes"])


def check_instructions(instructions: Any) -> None:
    """``items_human_ins.json``."""
    assert isinstance(instructions, dict)
    for asin, asked in instructions.items():
        assert ASIN.fullmatch(asin)
        assert isinstance(asked, list)
        assert asked
        for entry in asked:
            keys(entry, INSTRUCTION)
            assert entry["asin"] == asin
            assert entry["instruction"].strip()
            texts(entry["instruction_attributes"])
            texts(entry["instruction_options"])


def keys(record: Any, needed: dict[str, Any], optional: dict[str, Any] | None = None) -> None:
    assert isinstance(record, dict), record
    known = {**needed, **(optional or {})}
    assert set(needed) <= set(record) <= set(known), set(record) ^ set(needed)
    for key, value in record.items():
        assert isinstance(value, known[key]), (key, value)
        assert known[key] is bool or not isinstance(value, bool), (key, value)


def texts(values: Any) -> None:
    assert isinstance(values, list)
    assert all(isinstance(value, str) for value in values), values
