"""A catalogue: its products, what is known of all of them, and its search engine."""

from __future__ import annotations

from hashlib import sha256
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from armap.envs.webshop.catalogue.columns import Columns, ColumnsBuilder
from armap.envs.webshop.catalogue.official import read_mapping, stream_records
from armap.envs.webshop.catalogue.product import pack, parse_product
from armap.envs.webshop.search.build import IndexBuilder
from armap.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from armap.envs.webshop.catalogue.official import Files
    from armap.envs.webshop.catalogue.product import Product
    from armap.envs.webshop.search.bm25 import Postings

__all__ = ["Catalogue", "Sought", "assemble", "in_memory", "read_files", "read_products"]


class Catalogue(NamedTuple):
    """Everything about the products, whether it lies in memory or on disk."""

    products: Sequence[Product]
    columns: Columns
    postings: Postings
    digest: str
    """Over every field of every product, in order."""


class Sought(NamedTuple):
    """A catalogue without its products: what :func:`assemble` makes while it passes them on."""

    columns: Columns
    postings: Postings
    digest: str


def read_files(files: Files, limit: int | None = None) -> Iterator[Product]:
    """Products of official files, of the first ``limit`` records.

    Raises:
        DataError: a file is damaged, or a record is no product; says which.
    """
    records = islice(stream_records(files.items), limit)
    return read_products(records, read_mapping(files.attributes), f"{files.items}: ")


def read_products(
    records: Iterable[Mapping[str, Any]],
    attributes: Mapping[str, Mapping[str, Any]],
    source: str = "",
) -> Iterator[Product]:
    """Products of official records; duplicates and records without a real asin are skipped.

    Args:
        records: as in ``items_shuffle*.json``.
        attributes: as in ``items_ins_v2*.json``.
        source: goes before what is said of a record.

    Raises:
        DataError: a record is no product; says which.
    """
    for number, record in enumerate(records):
        try:
            product = parse_product(record, attributes.get(str(record.get("asin")), {}))
        except (DataError, KeyError, TypeError, AttributeError) as error:
            raise DataError(f"{source}record {number:,}: {error}") from error
        if product is not None:
            yield product


def assemble(products: Iterable[Product], keep: Callable[[Product, bytes], object]) -> Sought:
    """Pass products, also packed, on to ``keep`` and index them on the way."""
    columns, index, digest = ColumnsBuilder(), IndexBuilder(), sha256()
    for product in products:
        if product.asin in columns:
            continue
        packed = pack(product)
        digest.update(packed)
        columns.add(product)
        index.add(product.contents)
        keep(product, packed)
    done = columns.finish()
    return Sought(done, index.finish(_ranks(done.order)), digest.hexdigest())


def _ranks(order: NDArray[np.int32]) -> NDArray[np.int32]:
    """The place of each row in ``order``."""
    found = np.empty(len(order), np.int32)
    found[order] = np.arange(len(order), dtype=np.int32)
    return found


def in_memory(products: Iterable[Product]) -> Catalogue:
    """A catalogue that lies in memory."""
    kept: list[Product] = []
    columns, postings, digest = assemble(products, lambda product, _: kept.append(product))
    return Catalogue(kept, columns, postings, digest)
