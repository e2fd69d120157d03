"""Official files: read as they are, refused in one line, indexed on disk."""

from __future__ import annotations

import gzip
import json
import logging
import os
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from armap.envs.webshop.catalogue import disk, official
from armap.envs.webshop.catalogue.disk import open_on_disk
from armap.envs.webshop.catalogue.official import find_files, read_mapping, stream_records
from armap.envs.webshop.config import WebShopConfig
from armap.envs.webshop.search.bm25 import Bm25
from armap.envs.webshop.world import open_world
from armap.errors import ArmapError, ConfigError, DataError
from tests.shops import product, shop_config, write_shop

Spoil = Callable[[Path], object]


def items(folder: Path) -> Path:
    return folder / "items_shuffle.json"


def change(folder: Path, **fields: object) -> None:
    """Change the third product."""
    content = json.loads(items(folder).read_text())
    content[2] |= fields
    content[2] = {key: value for key, value in content[2].items() if value != "gone"}
    items(folder).write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("spoil", "kind", "said"),
    [
        (lambda f: items(f).unlink(), ConfigError, "items_shuffle.json is missing"),
        (lambda f: (f / "items_ins_v2.json").unlink(), ConfigError, "items_ins_v2.json is missing"),
        (
            lambda f: (f / "items_human_ins.json").unlink(),
            ConfigError,
            "items_human_ins.json is missing",
        ),
        (lambda f: items(f).write_text("{}"), DataError, "wanted a list of products"),
        (lambda f: items(f).write_text(""), DataError, "wanted a list of products"),
        (lambda f: items(f).write_text("[1]"), DataError, "is no product: 1"),
        (
            lambda f: items(f).write_text(items(f).read_text()[:-300]),
            DataError,
            "truncated after 59 products",
        ),
        (
            lambda f: (f / "items_ins_v2.json").write_text("[]"),
            DataError,
            "wanted a mapping by asin",
        ),
        (
            lambda f: (f / "items_ins_v2.json").write_text('{"a": '),
            DataError,
            "items_ins_v2.json: not whole JSON",
        ),
        (lambda f: change(f, name="gone"), DataError, "B000000002: 'name' is missing"),
        (lambda f: change(f, pricing="free"), DataError, "pricing 'free' is no price"),
        (
            lambda f: change(f, customization_options=["x"]),
            DataError,
            "must be a mapping of groups",
        ),
        (
            lambda f: (f / "items_human_ins.json").write_text('{"B0XXXXXXXX": []}'),
            DataError,
            "missing from this catalogue",
        ),
        (
            lambda f: (f / "items_human_ins.json").write_text('{"B000000001": [{}]}'),
            DataError,
            "B000000001: 'instruction' is missing",
        ),
        (
            lambda f: (f / "items_human_ins.json").write_text('{"B000000001": {"attributes": []}}'),
            DataError,
            "B000000001: the wrong file: wanted a list",
        ),
        (
            lambda f: (f / "items_human_ins.json").write_text('{"B000000001": ["x"]}'),
            DataError,
            "B000000001: 'instruction' is missing in 'x'",
        ),
        (
            lambda f: (f / "items_human_ins.json").write_text(
                '{"B000000001": [{"instruction": 1}]}'
            ),
            DataError,
            "B000000001: 'instruction' must be a str: 1",
        ),
        (
            lambda f: change(f, name="Lamp \ud83d"),
            DataError,
            r"record 2: product 'B000000002': holds half a character: .*Lamp \\ud83d'; mend",
        ),
        (
            lambda f: (f / "items_ins_v2.json").write_text(
                '{"B000000001": {"attributes": ["dim \\uDC00"]}}'
            ),
            DataError,
            "entry 'B000000001': holds half a character",
        ),
    ],
)
def test_bad_data_is_one_clear_line(
    tmp_path: Path, spoil: Spoil, kind: type[ArmapError], said: str
) -> None:
    folder = write_shop(tmp_path)
    spoil(folder)
    with pytest.raises(kind, match=said) as caught:
        open_world(shop_config(folder, goals="human"))
    assert str(caught.value).count(str(tmp_path)) == 1, caught.value
    assert "\n" not in str(caught.value)


def test_halves_that_make_a_whole_character_are_read(tmp_path: Path) -> None:
    folder = write_shop(tmp_path)
    change(folder, name="Lamp \N{BLACK SUN WITH RAYS} \N{SUN WITH FACE}")
    assert r"\ud83c\udf1e" in items(folder).read_text()
    catalogue = open_world(shop_config(folder)).shop.catalogue
    assert catalogue.products[2].title == "Lamp \N{BLACK SUN WITH RAYS} \N{SUN WITH FACE}"


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="armap data webshop"):
        open_world(shop_config(tmp_path / "nowhere"))


def test_two_catalogues_in_one_folder(tmp_path: Path) -> None:
    folder = write_shop(tmp_path)
    (folder / "items_shuffle_1000.json").write_text("[]")
    with pytest.raises(ConfigError, match="set size: small or size: full"):
        find_files(folder, "auto")
    assert find_files(folder, "full").items == items(folder)


def test_unknown_profile() -> None:
    with pytest.raises(ValueError, match="'faithful' or 'strict'"):
        WebShopConfig.model_validate({"profile": "loose"})


def test_packed_files_are_the_same_catalogue(tmp_path: Path) -> None:
    plain = open_world(shop_config(write_shop(tmp_path / "plain")))
    packed = open_world(shop_config(write_shop(tmp_path / "packed", packed=True)))
    assert plain.name == packed.name


def test_a_truncated_archive(tmp_path: Path) -> None:
    folder = write_shop(tmp_path, packed=True)
    path = folder / "items_shuffle.json.gz"
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DataError, match="damaged or truncated"):
        open_world(shop_config(folder))


def test_a_damaged_archive_wherever_the_damage_is(tmp_path: Path) -> None:
    path = tmp_path / "items_ins_v2.json.gz"
    whole = gzip.compress(json.dumps({f"B{n:09d}": {"a": [n * n]} for n in range(999)}).encode())
    refused = set()
    for place in range(12, len(whole) - 8, len(whole) // 60):
        content = bytearray(whole)
        content[place] ^= 0x55
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"items_ins_v2\.json\.gz: not whole JSON") as caught:
            read_mapping(path)
        refused.add(type(caught.value.__cause__))
        with pytest.raises(DataError):
            list(stream_records(path))
    assert zlib.error in refused


def test_products_that_the_original_skips(tmp_path: Path) -> None:
    folder = write_shop(tmp_path)
    content = json.loads(items(folder).read_text())
    content += [product(3), {"asin": "nan"}, {"asin": "B0000000000"}]
    items(folder).write_text(json.dumps(content))
    assert len(open_world(shop_config(folder)).shop.catalogue.products) == 60
    assert len(open_world(shop_config(folder, num_products=7)).shop.catalogue.products) == 7


def test_records_across_the_edges_of_what_is_read_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_shop(tmp_path)
    whole = json.loads(items(folder).read_text())
    monkeypatch.setattr(official, "_CHUNK", 37)
    assert list(stream_records(items(folder))) == whole


def test_few_human_goals_are_said_aloud(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    open_world(shop_config(write_shop(tmp_path), goals="human"))
    assert "only 45 human goals" in caplog.text


def test_an_index_on_disk_is_the_same_shop(tmp_path: Path) -> None:
    folder = write_shop(tmp_path / "data")
    memory = open_world(shop_config(folder))
    disk = open_world(shop_config(folder, index=str(tmp_path / "index")))
    assert disk.name == memory.name
    kept, mapped = disk.shop.catalogue, memory.shop.catalogue
    assert list(kept.products) == list(mapped.products)
    assert kept.products[3:5] == list(mapped.products[3:5])
    assert kept.columns.row("B000000007") == 7
    assert kept.columns.row("B999999999") is None
    engines = Bm25(kept.postings), Bm25(mapped.postings)
    for query in ("soft shoes", "lamps 7", "nothing such", "number 3 3 3"):
        assert engines[0].search(query) == engines[1].search(query)


def reopened(tmp_path: Path, caplog: pytest.LogCaptureFixture, spoil: Spoil) -> str:
    """Build an index, spoil it, open it again; what was said the second time."""
    folder, index = write_shop(tmp_path / "data"), tmp_path / "index"
    before = open_world(shop_config(folder, index=str(index)))
    name, first = before.name, before.shop.catalogue.products[0]
    spoil(index)
    caplog.clear()
    caplog.set_level(logging.WARNING)
    again = open_on_disk(find_files(folder, "auto"), index)
    assert again.products[0] == first
    assert again.digest[:16] == before.fingerprint["catalogue"]
    assert name
    return caplog.text


def flip(path: Path) -> None:
    """Change one byte in the middle."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    "file", ["products.bin", "documents.npy", "loads.npy", "terms.bin", "asins.npy", "offsets.npy"]
)
def test_a_damaged_index_is_built_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, file: str
) -> None:
    said = reopened(tmp_path, caplog, lambda index: flip(index / file))
    assert f"{file} is damaged; building it anew" in said


def test_an_index_without_its_header_or_a_file_is_built_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert "header" in reopened(tmp_path / "a", caplog, lambda f: (f / "header.json").unlink())
    assert "damaged" in reopened(tmp_path / "b", caplog, lambda f: (f / "loads.npy").unlink())


def test_an_untouched_index_is_used_as_it_is(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert reopened(tmp_path, caplog, lambda _: None) == ""


def test_an_index_of_other_files_is_built_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def touch(index: Path) -> None:
        os.utime(index.parent / "data" / "items_shuffle.json", ns=(1, 1))

    assert "built from other files" in reopened(tmp_path, caplog, touch)


def test_somebody_elses_folder_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    config = shop_config(write_shop(tmp_path / "data"), index=str(tmp_path / "mine"))
    with pytest.raises(ConfigError, match="is no index"):
        open_world(config)
    assert (tmp_path / "mine" / "letter.txt").read_text() == "dear"


def check_untouched(index: Path, data: Path, said: str) -> None:
    """What is no index is refused, and nothing beside it is touched either."""
    before = {path: path.read_bytes() for path in index.parent.rglob("*") if path.is_file()}
    with pytest.raises(ConfigError, match=said):
        open_on_disk(find_files(data, "auto"), index, limit=7)
    for path, content in before.items():
        assert path.read_bytes() == content


def test_an_index_with_somebody_elses_file_in_it_is_not_touched(tmp_path: Path) -> None:
    data, index = write_shop(tmp_path / "data"), tmp_path / "index"
    open_on_disk(find_files(data, "auto"), index)
    (index / "thesis.tex").write_text("years of work")
    check_untouched(index, data, r"env\.index: .* would be deleted: .*'thesis\.tex'; set env")
    (index / "header.json").unlink()
    check_untouched(index, data, "thesis")


@pytest.mark.parametrize("header", ['{"title": "mine"}', "[]", '{"identity": {}}', "not JSON"])
def test_somebody_elses_header_is_not_touched(tmp_path: Path, header: str) -> None:
    data, index = write_shop(tmp_path / "data"), tmp_path / "index"
    index.mkdir()
    (index / "header.json").write_text(header)
    check_untouched(index, data, "its header is not an index's")


def test_what_is_beside_an_index_is_not_touched(tmp_path: Path) -> None:
    data, index = write_shop(tmp_path / "data"), tmp_path / "index"
    (tmp_path / "index.part").mkdir()
    (tmp_path / "index.part" / "letter.txt").write_text("dear")
    (tmp_path / "index.lock").write_text("mine")
    check_untouched(index, data, r"index\.part is no index")


def test_a_build_that_was_stopped_begins_anew(tmp_path: Path) -> None:
    data, index = write_shop(tmp_path / "data"), tmp_path / "index"
    (tmp_path / "index.part").mkdir()
    (tmp_path / "index.part" / "products.bin").write_text("half")
    assert len(open_on_disk(find_files(data, "auto"), index).products) == 60
    assert {path.name for path in index.iterdir()} == disk._NAMES
    assert not (tmp_path / "index.part").exists()


def test_an_index_that_is_a_link_stays_one(tmp_path: Path) -> None:
    data, link = write_shop(tmp_path / "data"), tmp_path / "link"
    (tmp_path / "large").mkdir()
    link.symlink_to(tmp_path / "large")
    for limit in (7, 8):
        assert len(open_on_disk(find_files(data, "auto"), link, limit=limit).products) == limit
    assert link.is_symlink()


def test_an_index_that_is_a_file(tmp_path: Path) -> None:
    data, index = write_shop(tmp_path / "data"), tmp_path / "index"
    index.write_text("mine")
    check_untouched(index, data, r"env\.index: .*index is a file; set it to a folder")
    check_untouched(index / "below", data, r"set env\.index to a folder")
    assert not (tmp_path / "index.lock").exists()


def test_gzip_is_read_without_unpacking(tmp_path: Path) -> None:
    path = tmp_path / "list.json.gz"
    path.write_bytes(gzip.compress(b' [ {"a": 1} , {"b": [2]} ] '))
    assert list(stream_records(path)) == [{"a": 1}, {"b": [2]}]
