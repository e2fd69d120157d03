"""Official files, put in place."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from zlib import crc32

import pytest
import yaml
from typer.testing import CliRunner

from armap.cli.main import app
from armap.envs.webshop.catalogue.fetch import fetch
from armap.envs.webshop.config import WebShopConfig
from armap.envs.webshop.world import open_world
from armap.errors import BoundaryError, ConfigError
from tests.shops import write_shop

NAMES = ["items_shuffle.json", "items_ins_v2.json", "items_human_ins.json"]
FIRST = NAMES[0]

Served = tuple[str, type["Ranged"]]


class Ranged(SimpleHTTPRequestHandler):
    """Serves a folder as the attributes say; knows byte ranges and versions."""

    protocol_version = "HTTP/1.1"
    limit: int | None = None
    """Breaks off after so many bytes."""
    mark: str = "ETag"
    """The header that tells the version; none if empty."""
    length: bool = True
    """Whether the length is told; if not, the body comes in chunks."""
    absent: int = 404
    """The answer for a file that is not there."""
    careless: bool = False
    """Ignores the version of a range that is asked for."""
    asked: list[str | None] = []  # noqa: RUF012  (shared on purpose)
    """The range of each request for a file that is there."""

    def do_GET(self) -> None:
        path = Path(self.translate_path(self.path))
        self.close_connection = True
        if not path.is_file():
            self.send_error(self.absent)
            return
        content = path.read_bytes()
        version = f'"{crc32(content)}"'
        span = self.headers.get("Range")
        self.asked.append(span)
        if self.headers.get("If-Range", version) != version and not self.careless:
            span = None
        first = int(span.removeprefix("bytes=").removesuffix("-")) if span else 0
        if span and first >= len(content):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(content)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(206 if span else 200)
        if self.mark:
            self.send_header(self.mark, version)
        if span:
            whole = len(content)
            self.send_header("Content-Range", f"bytes {first}-{whole - 1}/{whole}")
        self.send_body(content[first:])

    def send_body(self, content: bytes) -> None:
        if self.length:
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: self.limit])
        else:
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"%x\r\n%b" % (len(content), content[: self.limit]))
            if self.limit is None:
                self.wfile.write(b"\r\n0\r\n\r\n")

    def log_message(self, *args: object) -> None:
        """Not into the tests' output."""


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """The address of a folder with the files, and how its server behaves."""

    class Own(Ranged):
        asked: list[str | None] = []  # noqa: RUF012

    write_shop(tmp_path / "served")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Own, directory=str(tmp_path / "served")))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", Own
    server.shutdown()
    thread.join()
    server.server_close()


def test_from_a_folder(tmp_path: Path) -> None:
    write_shop(tmp_path / "from")
    placed = list(fetch(str(tmp_path / "from"), tmp_path / "to"))
    assert [entry.path.name for entry in placed] == NAMES
    assert {entry.done for entry in placed} == {"copied"}
    assert all(len(entry.sha256) == 64 and entry.size > 100 for entry in placed)
    again = list(fetch(str(tmp_path / "from"), tmp_path / "to"))
    assert {entry.done for entry in again} == {"already there"}


def test_nothing_is_overwritten_unasked(tmp_path: Path) -> None:
    write_shop(tmp_path / "from")
    write_shop(tmp_path / "to", count=3)
    before = (tmp_path / "to" / NAMES[0]).read_bytes()
    kept = list(fetch(str(tmp_path / "from"), tmp_path / "to"))
    assert {entry.done for entry in kept} == {"kept, though the source differs"}
    assert (tmp_path / "to" / NAMES[0]).read_bytes() == before
    replaced = list(fetch(str(tmp_path / "from"), tmp_path / "to", overwrite=True))
    assert {entry.done for entry in replaced} == {"copied"}


def test_from_the_web(tmp_path: Path, served: Served) -> None:
    address, _ = served
    heard: list[tuple[str, int, int | None]] = []
    placed = list(fetch(address, tmp_path / "to", progress=lambda *told: heard.append(told)))
    assert [entry.path.name for entry in placed] == NAMES
    assert {entry.done for entry in placed} == {"downloaded"}
    for name in NAMES:
        assert (tmp_path / "to" / name).read_bytes() == (tmp_path / "served" / name).read_bytes()
    assert heard[0][0] == NAMES[0]
    assert heard[0][1] == heard[0][2]
    one = f"{address}/{NAMES[1]}"
    assert [entry.done for entry in fetch(one, tmp_path / "to")] == ["already there (same size)"]


def test_a_download_that_broke_off_goes_on(tmp_path: Path, served: Served) -> None:
    address, server = served
    server.limit = 500
    with pytest.raises(BoundaryError, match="run it again to go on"):
        list(fetch(address, tmp_path / "to"))
    assert not (tmp_path / "to" / NAMES[0]).exists()
    server.limit = None
    placed = list(fetch(address, tmp_path / "to"))
    assert {entry.done for entry in placed} == {"downloaded"}
    assert "bytes=500-" in server.asked
    assert (tmp_path / "to" / NAMES[0]).read_bytes() == (
        tmp_path / "served" / NAMES[0]
    ).read_bytes()


def broken_off(tmp_path: Path, served: Served, at: int = 500) -> Path:
    """Fetch the first file from a server that breaks off; where it goes."""
    address, server = served
    server.limit = at
    with pytest.raises(BoundaryError, match="run it again"):
        list(fetch(f"{address}/{FIRST}", tmp_path / "to"))
    server.limit = None
    server.asked.clear()
    return tmp_path / "to" / FIRST


def check_fetched(tmp_path: Path, served: Served) -> None:
    """Fetch the first file; it is the served one and nothing else is left beside it."""
    (placed,) = fetch(f"{served[0]}/{FIRST}", tmp_path / "to")
    assert placed.done == "downloaded"
    assert placed.path.read_bytes() == (tmp_path / "served" / FIRST).read_bytes()
    assert list((tmp_path / "to").iterdir()) == [placed.path]


def test_a_part_that_is_whole_is_used(tmp_path: Path, served: Served) -> None:
    broken_off(tmp_path, served)
    whole = (tmp_path / "served" / FIRST).read_bytes()
    (tmp_path / "to" / f"{FIRST}.part").write_bytes(whole)
    check_fetched(tmp_path, served)
    assert served[1].asked == [f"bytes={len(whole)}-"]


def test_a_part_that_is_longer_than_the_file_is_dropped(tmp_path: Path, served: Served) -> None:
    broken_off(tmp_path, served)
    (tmp_path / "to" / f"{FIRST}.part").write_bytes(b"x" * 1_000_000)
    check_fetched(tmp_path, served)


@pytest.mark.parametrize("careless", [False, True])
def test_a_part_of_another_version_begins_anew(
    tmp_path: Path, served: Served, *, careless: bool
) -> None:
    broken_off(tmp_path, served)
    served[1].careless = careless
    path = tmp_path / "served" / FIRST
    path.write_bytes(path.read_bytes().replace(b"Soft", b"Firm"))
    check_fetched(tmp_path, served)
    assert served[1].asked[0] == "bytes=500-"


def test_a_part_of_another_source_begins_anew(tmp_path: Path, served: Served) -> None:
    target = broken_off(tmp_path, served)
    served[1].careless = True
    note = target.with_name(f"{FIRST}.part.source")
    note.write_text(note.read_text().replace(served[0], "http://127.0.0.1:1"))
    target.with_name(f"{FIRST}.part").write_text("<html>please log in</html>")
    check_fetched(tmp_path, served)
    assert served[1].asked == [None]


@pytest.mark.parametrize("note", [None, "", "[]", '{"mark": 5}', '"'])
def test_a_part_of_nobody_knows_what_begins_anew(
    tmp_path: Path, served: Served, note: str | None
) -> None:
    (tmp_path / "to").mkdir()
    (tmp_path / "to" / f"{FIRST}.part").write_text("<html>please log in</html>")
    if note is not None:
        (tmp_path / "to" / f"{FIRST}.part.source").write_text(note)
    served[1].careless = True
    check_fetched(tmp_path, served)
    assert served[1].asked == [None]


@pytest.mark.parametrize(("mark", "goes_on"), [("Last-Modified", True), ("", False)])
def test_it_goes_on_only_where_versions_are_marked(
    tmp_path: Path, served: Served, mark: str, *, goes_on: bool
) -> None:
    served[1].mark = mark
    broken_off(tmp_path, served)
    served[1].careless = True
    check_fetched(tmp_path, served)
    assert served[1].asked == ["bytes=500-" if goes_on else None]


def test_a_copy_over_what_is_left_of_a_download(tmp_path: Path, served: Served) -> None:
    broken_off(tmp_path, served)
    (placed,) = fetch(str(tmp_path / "served" / FIRST), tmp_path / "to")
    assert placed.done == "copied"
    assert list((tmp_path / "to").iterdir()) == [placed.path]


def test_chunks_that_break_off(tmp_path: Path, served: Served) -> None:
    served[1].length = False
    broken_off(tmp_path, served)
    check_fetched(tmp_path, served)


def test_only_what_is_known_is_said_of_a_kept_file(tmp_path: Path, served: Served) -> None:
    check_fetched(tmp_path, served)
    target = tmp_path / "to" / FIRST

    def said() -> str:
        (placed,) = fetch(f"{served[0]}/{FIRST}", tmp_path / "to")
        return placed.done

    target.write_bytes(target.read_bytes().replace(b"Soft", b"Firm"))
    assert said() == "already there (same size)"
    served[1].length = False
    assert said() == "kept, cannot tell whether the source differs"
    served[1].length = True
    target.write_text("[]")
    assert said() == "kept, the source differs in size"
    assert target.read_text() == "[]"


def test_a_kept_file_and_what_is_left_of_another_are_let_be(tmp_path: Path, served: Served) -> None:
    target = broken_off(tmp_path, served)
    target.write_text("[]")
    left = target.with_name(f"{FIRST}.part")
    left.write_bytes(b"x" * 1_000_000)
    (placed,) = fetch(f"{served[0]}/{FIRST}", tmp_path / "to")
    assert placed.done == "kept, the source differs in size"
    assert served[1].asked == [None]
    assert left.stat().st_size == 1_000_000


@pytest.mark.parametrize("code", [403, 404, 410])
def test_a_file_that_is_not_there(tmp_path: Path, served: Served, code: int) -> None:
    address, server = served
    server.absent = code
    assert [entry.path.name for entry in fetch(address, tmp_path / "to")] == NAMES
    kind = BoundaryError if code == 403 else ConfigError
    with pytest.raises(kind, match=rf"/nowhere/{FIRST}: {code}"):
        list(fetch(f"{address}/nowhere/{FIRST}", tmp_path / "to"))
    with pytest.raises(ConfigError, match=f"has none of .*the server answers {code}"):
        list(fetch(f"{address}/nowhere", tmp_path / "to"))


def test_a_server_that_fails_is_no_missing_file(tmp_path: Path, served: Served) -> None:
    served[1].absent = 500
    with pytest.raises(BoundaryError, match="500 Internal Server Error; run it again"):
        list(fetch(served[0], tmp_path / "to"))


def test_addresses_with_a_key(tmp_path: Path, served: Served) -> None:
    (placed,) = fetch(f"{served[0]}/{FIRST}?key=1", tmp_path / "to")
    assert placed.path.name == FIRST
    placed_all = list(fetch(f"{served[0]}/?key=1#top", tmp_path / "all"))
    assert [entry.path.name for entry in placed_all] == NAMES


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("http://127.0.0.1:1/my folder", "write blanks as %20"),
        ("http://127.0.0.1:one/", "is no web address: Port"),
        ("http://[::1/", "is no web address: Invalid IPv6"),
        ("http://", "it names no server"),
        (f"http://{'a' * 70}/", "is no web address: .*label"),
    ],
)
def test_what_is_no_address(tmp_path: Path, source: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        list(fetch(source, tmp_path / "to"))
    assert "\n" not in str(caught.value)


def test_no_connection(tmp_path: Path) -> None:
    with pytest.raises(BoundaryError, match="refused; run it again"):
        list(fetch("http://127.0.0.1:1", tmp_path / "to"))


def test_one_file_by_its_path(tmp_path: Path) -> None:
    shop = write_shop(tmp_path / "from")
    (placed,) = fetch(str(shop / FIRST), tmp_path / "to")
    assert placed.path == tmp_path / "to" / FIRST
    (shop / "readme").write_text("")
    with pytest.raises(ConfigError, match="readme: is none of the official files"):
        list(fetch(str(shop / "readme"), tmp_path / "to"))
    with pytest.raises(ConfigError, match=f"--to .*{FIRST}: is a file; name a folder"):
        list(fetch(str(shop), tmp_path / "to" / FIRST))


def test_sources_that_have_nothing(tmp_path: Path, served: Served) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match=r"has none of items_shuffle_1000\.json"):
        list(fetch(str(tmp_path / "empty"), tmp_path / "to"))
    with pytest.raises(ConfigError, match="has none of"):
        list(fetch(f"{served[0]}/nowhere", tmp_path / "to"))
    with pytest.raises(ConfigError, match="neither a folder, a file nor a web address"):
        list(fetch(str(tmp_path / "nowhere"), tmp_path / "to"))


def command(source: Path, folder: Path) -> str:
    """What ``armap data webshop`` says."""
    done = CliRunner().invoke(
        app, ["data", "webshop", "--source", str(source), "--to", str(folder)]
    )
    assert done.exit_code == 0, done.output
    return done.output


def opened(said: str) -> list[int]:
    """Open what each ``env:`` line asks for; how many products it has."""
    lines = [
        yaml.safe_load(line.split("use it with ")[1])
        for line in said.splitlines()
        if "env:" in line
    ]
    worlds = [open_world(WebShopConfig.model_validate(line["env"])) for line in lines]
    return [len(world.shop.catalogue.products) for world in worlds]


def test_the_command_says_what_it_found(tmp_path: Path) -> None:
    write_shop(tmp_path / "from")
    said = command(tmp_path / "from", tmp_path / "to")
    assert "full catalogue: 60 products, 45 human goals" in said
    assert "items_human_ins.json" in said
    assert "missing" not in said
    assert opened(said) == [60]


def test_the_command_knows_both_catalogues(tmp_path: Path) -> None:
    shop, small = write_shop(tmp_path / "from"), write_shop(tmp_path / "small", count=9)
    for stem in ("items_shuffle", "items_ins_v2"):
        (small / f"{stem}.json").rename(shop / f"{stem}_1000.json")
    said = command(shop, tmp_path / "my [new] shop, it's")
    assert "small catalogue: 9 products" in said
    assert "size: small" in said
    assert opened(said) == [9, 60]


def test_the_command_says_what_is_missing(tmp_path: Path) -> None:
    shop, to = write_shop(tmp_path / "from"), tmp_path / "to"
    said = command(shop / "items_human_ins.json", to)
    assert "small catalogue: missing items_shuffle_1000.json and items_ins_v2_1000.json" in said
    assert "full catalogue: missing items_shuffle.json and items_ins_v2.json" in said
    (to / "items_human_ins.json").unlink()
    said = command(shop / "items_shuffle.json", to)
    assert "full catalogue: missing items_ins_v2.json (or .json.gz)" in said
    assert "human goals: missing items_human_ins.json" in said
    assert "small" not in said
    assert opened(said) == []
    said = command(shop / "items_ins_v2.json", to)
    assert "catalogue: missing" not in said
    assert "synthetic goals" in said
    assert opened(said) == [60]


def test_the_command_names_the_size_beside_half_of_another(tmp_path: Path) -> None:
    shop, to = write_shop(tmp_path / "from"), tmp_path / "to"
    (shop / "items_shuffle_1000.json").write_text("[]")
    said = command(shop, to)
    assert "small catalogue: missing items_ins_v2_1000.json" in said
    assert "size: full" in said
    assert opened(said) == [60]
