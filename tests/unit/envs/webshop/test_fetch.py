"""Official files, put in place."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from typer.testing import CliRunner

from armap.cli.main import app
from armap.envs.webshop.catalogue.fetch import fetch
from armap.errors import BoundaryError, ConfigError
from tests.shops import write_shop

NAMES = ["items_shuffle.json", "items_ins_v2.json", "items_human_ins.json"]


class Ranged(SimpleHTTPRequestHandler):
    """Serves a folder; knows byte ranges, and breaks off where ``limit`` says."""

    limit: int | None = None
    asked: list[str] = []  # noqa: RUF012  (shared on purpose)

    def do_GET(self) -> None:
        path = Path(self.translate_path(self.path))
        if not path.is_file():
            self.send_error(404)
            return
        content = path.read_bytes()
        span = self.headers.get("Range", "")
        self.asked.append(span)
        first = int(span.removeprefix("bytes=").removesuffix("-")) if span else 0
        if first > len(content):
            self.send_error(416)
            return
        self.send_response(206 if span else 200)
        self.send_header("Content-Length", str(len(content) - first))
        self.end_headers()
        self.wfile.write(content[first : None if self.limit is None else first + self.limit])

    def log_message(self, *args: object) -> None:
        """Not into the tests' output."""


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[str, type[Ranged]]]:
    """The address of a folder with the files, and how its server behaves."""

    class Own(Ranged):
        asked: list[str] = []  # noqa: RUF012

    write_shop(tmp_path / "served")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Own, directory=str(tmp_path / "served")))
    thread = threading.Thread(target=server.serve_forever)
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


def test_from_the_web(tmp_path: Path, served: tuple[str, type[Ranged]]) -> None:
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
    assert [entry.done for entry in fetch(one, tmp_path / "to")] == ["already there"]


def test_a_download_that_broke_off_goes_on(
    tmp_path: Path, served: tuple[str, type[Ranged]]
) -> None:
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


def test_sources_that_have_nothing(tmp_path: Path, served: tuple[str, type[Ranged]]) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match=r"has none of items_shuffle_1000\.json"):
        list(fetch(str(tmp_path / "empty"), tmp_path / "to"))
    with pytest.raises(ConfigError, match="has none of"):
        list(fetch(f"{served[0]}/nowhere", tmp_path / "to"))
    with pytest.raises(ConfigError, match="neither a folder nor a web address"):
        list(fetch(str(tmp_path / "nowhere"), tmp_path / "to"))


def test_the_command_says_what_it_found(tmp_path: Path) -> None:
    write_shop(tmp_path / "from")
    command = ["data", "webshop", "--source", str(tmp_path / "from"), "--to", str(tmp_path / "to")]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    assert "60 products, 45 human goals" in done.output
    assert "items_human_ins.json" in done.output
