from __future__ import annotations

import io
import subprocess
import sys
from base64 import b64decode
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFont, features

from armap.envs.webshop.catalogue.product import Product, parse_product
from armap.envs.webshop.embedded import make
from armap.envs.webshop.images import canvas
from armap.envs.webshop.images.pictures import Pictures
from armap.envs.webshop.images.reference import View, read, reference
from armap.errors import ConfigError, DataError


@pytest.fixture(scope="module")
def products() -> dict[str, Product]:
    official = make()
    parsed = [parse_product(r, official.attributes[r["asin"]]) for r in official.products]
    return {product.asin: product for product in parsed if product is not None}


@pytest.fixture(scope="module")
def pictures(products: dict[str, Product]) -> Pictures:
    return Pictures(products.get)


def views(products: dict[str, Product]) -> list[View]:
    """One of each kind of page."""
    asins = tuple(products)[:10]
    item = next(product for product in products.values() if len(product.options) > 1)
    chosen = tuple((group, values[0]) for group, values in item.options)
    return [
        View(),
        View("results", keywords="red shoes", number=2, total=48, asins=asins, opened=asins[:2]),
        View("item", asin=item.asin, options=chosen),
        *(
            View("sub", asin=item.asin, options=chosen, sub=sub)
            for sub in ("Description", "Features", "Reviews", "Attributes")
        ),
        View("done", asin=item.asin, options=chosen),
    ]


def pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image.convert("RGB"))


NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=10)
OPTIONS = st.lists(st.tuples(NAMES, NAMES), max_size=4).map(tuple)
ASINS = st.lists(st.from_regex(r"[A-Z0-9]{10}", fullmatch=True), max_size=10).map(tuple)


WORDS = st.text(st.characters(codec="utf-8"), max_size=30)
RESULTS = st.tuples(WORDS, st.integers(1, 99), st.integers(0, 50), ASINS, ASINS).map(
    lambda r: View("results", "", (), "", *r)
)
ITEMS = st.tuples(st.sampled_from(["item", "done"]), NAMES, OPTIONS).map(lambda i: View(*i))
SUBS = st.tuples(st.just("sub"), NAMES, OPTIONS, NAMES).map(lambda i: View(*i))


@given(st.one_of(st.just(View()), RESULTS, ITEMS, SUBS))
def test_references_are_read_as_they_were_written(view: View) -> None:
    text = reference(view)
    assert read(text) == view
    assert text.isascii()
    assert not set(" \n") & set(text)


@given(st.one_of(st.text(), st.text().map("webshop:".__add__)))
def test_reading_is_total(text: str) -> None:
    try:
        view = read(text)
    except DataError:
        return
    assert read(reference(view)) == view


def test_every_page_is_drawn(products: dict[str, Product], pictures: Pictures) -> None:
    drawn = [pictures.image(reference(view)) for view in views(products)]
    for image in drawn:
        assert image.width == canvas.WIDTH
        assert 60 < image.height < canvas.TALLEST
    assert len({image.tobytes() for image in drawn}) == len(drawn)


def test_what_differs_on_a_page_differs_in_its_picture(
    products: dict[str, Product], pictures: Pictures
) -> None:
    _, results, item, *_ = views(products)
    for one, other in [
        (item, item._replace(options=())),
        (results, results._replace(opened=())),
        (results, results._replace(number=1)),
        (results, results._replace(asins=results.asins[1:])),
        (results, results._replace(keywords="blue shoes")),
    ]:
        shown = [pictures.png(reference(view)) for view in (one, other)]
        assert shown[0] != shown[1]


def test_an_option_changes_colour_where_it_stands_and_nowhere_else(
    products: dict[str, Product], pictures: Pictures
) -> None:
    item = views(products)[2]
    before = pixels(pictures.image(reference(item._replace(options=()))))
    after = pixels(pictures.image(reference(item._replace(options=item.options[:1]))))
    rows, columns = np.nonzero((before != after).any(axis=2))
    assert np.ptp(rows) < 40
    assert columns.min() > 240


def test_the_same_reference_gives_the_same_bytes_in_every_process(
    products: dict[str, Product], pictures: Pictures
) -> None:
    text = reference(views(products)[1])
    code = (
        "import sys; from hashlib import sha256\n"
        "from armap.envs.webshop.catalogue.product import parse_product\n"
        "from armap.envs.webshop.embedded import make\n"
        "from armap.envs.webshop.images.pictures import Pictures\n"
        "made = make()\n"
        "parsed = [parse_product(r, made.attributes[r['asin']]) for r in made.products]\n"
        "pictures = Pictures({p.asin: p for p in parsed}.get)\n"
        "print(sha256(pictures.png(sys.argv[1])).hexdigest())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, text], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == sha256(pictures.png(text)).hexdigest()
    assert Pictures(products.get).png(text) == pictures.png(text)


def test_a_picture_does_not_depend_on_what_was_drawn_before(products: dict[str, Product]) -> None:
    text = reference(views(products)[2])
    fresh = Pictures(products.get).image(text).tobytes()
    used = Pictures(products.get)
    for view in views(products):
        used.image(reference(view))
    assert used.image(text).tobytes() == fresh


def test_png_and_data_url_and_file_hold_the_same_picture(
    products: dict[str, Product], pictures: Pictures, tmp_path: Path
) -> None:
    text = reference(views(products)[2])
    png = pictures.png(text)
    assert Image.open(io.BytesIO(png)).format == "PNG"
    assert b64decode(pictures.data_url(text).partition("base64,")[2]) == png
    path = pictures.file(text, tmp_path / "pages")
    assert path.read_bytes() == png
    changed = path.stat().st_mtime_ns
    assert pictures.file(text, tmp_path / "pages") == path
    assert path.stat().st_mtime_ns == changed
    assert [p.name for p in (tmp_path / "pages").iterdir()] == [path.name]


def test_the_users_product_pictures_are_shown(products: dict[str, Product], tmp_path: Path) -> None:
    _, results, item, *_ = views(products)
    Image.new("RGB", (300, 200), (250, 0, 0)).save(tmp_path / f"{item.asin.lower()}.png")
    Image.new("RGB", (2000, 3000), (0, 0, 250)).save(tmp_path / f"{results.asins[3]}.jpg")
    (tmp_path / "notes.txt").write_text("no picture")
    own = Pictures(products.get, folder=tmp_path)
    shown = pixels(own.image(reference(item)))
    assert (abs(shown[:, :260].astype(int) - (250, 0, 0)).sum(axis=2) < 12).sum() > 30_000
    shown = pixels(own.image(reference(results)))
    assert (abs(shown[:, :90].astype(int) - (0, 0, 250)).sum(axis=2) < 30).sum() > 2_000
    plain = Pictures(products.get)
    start = reference(View())
    assert own.png(start) == plain.png(start)


def test_a_broken_product_picture_is_named(products: dict[str, Product], tmp_path: Path) -> None:
    item = views(products)[2]
    (tmp_path / f"{item.asin}.png").write_bytes(b"no image")
    with pytest.raises(DataError, match=item.asin):
        Pictures(products.get, folder=tmp_path).image(reference(item))


def test_bad_input_is_told_in_one_line(products: dict[str, Product], pictures: Pictures) -> None:
    with pytest.raises(DataError, match=r"B000000000.*other data"):
        pictures.image("webshop:item/B000000000")
    for text in ("webshop:results", "webshop:results?q=x&page=one&total=1&asins=&opened="):
        with pytest.raises(DataError, match="picture of a WebShop page"):
            pictures.image(text)
    with pytest.raises(ConfigError, match="is no folder"):
        Pictures(products.get, folder=Path("no such folder"))
    with pytest.raises(ConfigError, match="does not exist"):
        Pictures(products.get, typeface=Path("none.ttf"))


WILD = st.text(max_size=400)


@settings(max_examples=25, deadline=None)
@given(WILD, WILD, st.lists(WILD, max_size=5), st.lists(st.tuples(NAMES, st.lists(WILD))))
def test_any_product_can_be_drawn(
    title: str, description: str, bullets: list[str], options: list[tuple[str, list[str]]]
) -> None:
    product = Product(
        asin="X0",
        title=title,
        description=description,
        bullets=tuple(bullets),
        pricing=(1.0, 2.0),
        options=tuple((group, tuple(values)) for group, values in options),
        attributes=(),
        category="toys",
        query="",
        product_category="",
    )
    pictures = Pictures({"X0": product}.get)
    for view in (
        View("results", keywords=title, asins=("X0",), total=1),
        View("item", asin="X0"),
        View("sub", asin="X0", sub="Description"),
        View("sub", asin="X0", sub="Features"),
        View("done", asin="X0", options=tuple((group, title) for group, _ in options)),
    ):
        assert pictures.image(reference(view)).height <= canvas.TALLEST


def test_long_words_are_broken_and_long_pages_cut() -> None:
    assert canvas.wrap("", 14, "x" * 300, 100) == canvas.wrap("", 14, " ".join(["x" * 300]), 100)
    assert all(canvas.advance("", 14, line) <= 100 for line in canvas.wrap("", 14, "x" * 300, 100))
    sheet = canvas.Canvas()
    for top in range(0, canvas.TALLEST * 2, 20):
        sheet.line(0, top, "more and more", 14, canvas.Ink.TEXT)
    assert sheet.image().height == canvas.TALLEST


def test_other_letters_are_spelt() -> None:
    assert canvas._spelled("Café×½★") == "Cafex1/2"


def test_without_freetype_the_bitmap_font_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    caches = (
        canvas._font,
        canvas._word,
        canvas._length,
        canvas._glyph,
        canvas._space,
        canvas.wrap,
    )
    for cache in caches:
        cache.cache_clear()
    with monkeypatch.context() as patch:
        patch.setattr(features, "check", lambda name: False)
        product = Product("X0", "A lamp", "", (), (1.0,), (), (), "garden", "", "")
        image = Pictures({"X0": product}.get).image("webshop:item/X0")
        assert isinstance(canvas._font("", 14), ImageFont.ImageFont)
        assert image.height > 200
    for cache in caches:
        cache.cache_clear()
