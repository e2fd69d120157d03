"""What is on disk survives a crash, and a run folder holds one run only."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from armap.errors import ConfigError, DataError
from armap.storage import (
    JsonLines,
    Manifest,
    RunFolder,
    differences,
    read_manifest,
    read_records,
    write_text,
)
from armap.types import Record


class Row(Record):
    index: int
    text: str = ""


class Part(Record):
    n: int = 10


class Config(Record):
    out: str = "x"
    seed: int = 0
    planner: Part = Part()


def open_run(path: Path, **settings: object) -> RunFolder:
    options = {"stage": "plan", "config": Config(), **settings}
    return RunFolder.open(path, **options)


def lines_of(path: Path) -> JsonLines[Row]:
    return JsonLines(path, Row)


def add_record(run: RunFolder) -> None:
    rows = run.lines("rows.jsonl", Row)
    rows.append(Row(index=0))
    rows.close()


@pytest.fixture
def rows(tmp_path: Path) -> Iterator[JsonLines[Row]]:
    file = lines_of(tmp_path / "rows.jsonl")
    yield file
    file.close()


def test_an_absent_file_has_no_records(rows: JsonLines[Row]) -> None:
    assert list(rows) == []
    assert not rows.path.exists()


@given(st.lists(st.text(), min_size=1))
@settings(deadline=None, max_examples=30)
def test_what_is_appended_reads_back(texts: list[str]) -> None:
    wanted = [Row(index=index, text=text) for index, text in enumerate(texts)]
    with TemporaryDirectory() as folder:
        file = lines_of(Path(folder) / "rows.jsonl")
        for row in wanted:
            file.append(row)
        file.close()
        assert list(file) == wanted


def test_records_are_in_the_file_at_once_and_in_order(rows: JsonLines[Row]) -> None:
    for index in range(3):
        rows.append(Row(index=index, text="zwei\nZeilen ½"))
        assert [row.index for row in lines_of(rows.path)] == list(range(index + 1))
    assert next(iter(rows)).text == "zwei\nZeilen ½"
    assert rows.path.read_bytes().count(b"\n") == 3


def test_a_later_session_appends(rows: JsonLines[Row]) -> None:
    rows.append(Row(index=0))
    rows.close()
    rows.close()
    rows.append(Row(index=1))
    assert [row.index for row in rows] == [0, 1]


@pytest.mark.parametrize("torn", ['{"index": 1', '{"index": 1, "text": ""}', "\u00bd"])
def test_a_torn_last_line_is_dropped_when_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, torn: str
) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"index": 0}\n' + torn, encoding="utf-8")
    before = path.read_bytes()
    with caplog.at_level(logging.WARNING, logger="armap.storage"):
        assert list(read_records(path, Row)) == [Row(index=0)]
    assert caplog.messages == [f"{path}:2: dropped a torn last line ({len(torn.encode())} bytes)"]
    assert path.read_bytes() == before


def test_a_torn_last_line_is_dropped_before_an_append(
    rows: JsonLines[Row], caplog: pytest.LogCaptureFixture
) -> None:
    rows.path.write_text('{"index": 0}\n{"ind')
    with caplog.at_level(logging.WARNING, logger="armap.storage"):
        rows.append(Row(index=1))
        rows.append(Row(index=2))
    assert caplog.messages == [f"{rows.path}: dropped a torn last line (5 bytes)"]
    caplog.clear()
    assert [row.index for row in rows] == [0, 1, 2]
    assert caplog.messages == []


def test_a_file_of_one_torn_line_starts_anew(rows: JsonLines[Row]) -> None:
    rows.path.write_text('{"ind')
    rows.append(Row(index=7))
    assert list(rows) == [Row(index=7)]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"index": "many"}', "not a Row: index: Input should be a valid integer"),
        ('{"text": ""}', "not a Row: index: Field required"),
        ('{"index": 1, "more": 1}', "not a Row: more: Extra inputs"),
        ('{"index": 1', "not a Row: line: Invalid JSON"),
        ("", "not a Row: line: Invalid JSON"),
        ("[]", "not a Row: line: Input should be an object"),
    ],
)
def test_a_malformed_line_is_named(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(f'{{"index": 0}}\n{line}\n{{"index": 2}}\n')
    records = read_records(path, Row)
    assert next(records) == Row(index=0)
    with pytest.raises(DataError) as caught:
        next(records)
    assert str(caught.value).startswith(f"{path}:2: {message}")
    assert str(caught.value).endswith("mend or remove the line")


def test_bytes_that_are_no_text_are_a_malformed_line(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"index": 0}\n\xff\xfe\n')
    with pytest.raises(DataError, match=r"rows\.jsonl:2: not a Row"):
        list(read_records(path, Row))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"absent\.jsonl: no such file"):
        list(read_records(tmp_path / "absent.jsonl", Row))


def test_sorted_files_are_the_same_bytes_whatever_the_order_of_work(tmp_path: Path) -> None:
    contents = []
    for name, order in (("a", (2, 0, 1)), ("b", (1, 2, 0))):
        file = lines_of(tmp_path / name)
        for index in order:
            file.append(Row(index=index))
        assert file.sort(key=lambda row: row.index) == 3
        contents.append(file.path.read_bytes())
        assert list(file) == [Row(index=i) for i in range(3)]
    assert (
        contents[0]
        == contents[1]
        == b"".join(Row(index=i).model_dump_json().encode() + b"\n" for i in range(3))
    )
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["a", "b"]


def test_a_sort_that_fails_leaves_the_file_alone(rows: JsonLines[Row]) -> None:
    for index in (1, 0):
        rows.append(Row(index=index))
    before = rows.path.read_bytes()
    with pytest.raises(ZeroDivisionError):
        rows.sort(key=lambda row: 1 // row.index)
    assert rows.path.read_bytes() == before


def test_a_sorted_file_can_be_appended_to(rows: JsonLines[Row]) -> None:
    rows.append(Row(index=1))
    rows.sort(key=lambda row: row.index)
    rows.append(Row(index=0))
    assert [row.index for row in rows] == [1, 0]


def test_keep_drops_the_rest(rows: JsonLines[Row]) -> None:
    for index in range(4):
        rows.append(Row(index=index))
    assert rows.keep(lambda row: row.index % 2 == 1) == 2
    rows.append(Row(index=9))
    assert [row.index for row in rows] == [1, 3, 9]


def test_clear_starts_the_file_anew(rows: JsonLines[Row]) -> None:
    rows.clear()
    rows.append(Row(index=0))
    rows.clear()
    assert list(rows) == []
    rows.append(Row(index=1))
    assert list(rows) == [Row(index=1)]


def test_write_text_makes_folders_and_leaves_no_draft(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "er" / "x.txt"
    write_text(path, "one")
    write_text(path, "zwei ½")
    assert path.read_text(encoding="utf-8") == "zwei ½"
    assert list(path.parent.iterdir()) == [path]


def test_a_fresh_folder_says_what_it_is_made_with(tmp_path: Path) -> None:
    path = tmp_path / "runs" / "one"
    with open_run(path, config=Config(seed=7)) as run:
        assert not run.resumed
        stored = read_manifest(path)
        assert stored == run.manifest
    assert stored.stage == "plan"
    assert stored.seed == 7
    assert stored.config == {"out": "x", "seed": 7, "planner": {"n": 10}}
    assert {"python", "armap", "pydantic"} <= set(stored.versions)
    assert not stored.finished


def test_the_same_configuration_goes_on(tmp_path: Path) -> None:
    with open_run(tmp_path) as run:
        add_record(run)
        created = run.manifest.created
    with open_run(tmp_path) as run:
        assert run.resumed
        assert run.manifest.created == created
        assert list(run.lines("rows.jsonl", Row)) == [Row(index=0)]


def test_a_changed_configuration_is_refused_by_key(tmp_path: Path) -> None:
    open_run(tmp_path).__exit__(None, None, None)
    before = (tmp_path / "manifest.json").read_bytes()
    with pytest.raises(ConfigError) as caught:
        open_run(tmp_path, config=Config(planner=Part(n=20)))
    assert str(caught.value) == (
        f"{tmp_path}: made with another configuration: planner.n is 10 there and 20 here; "
        "use another --out, or --overwrite to start anew"
    )
    with pytest.raises(ConfigError, match=r"planner\.n is 10 there and 20 here \(and 1 more\)"):
        open_run(tmp_path, config=Config(planner=Part(n=20), seed=1))
    assert (tmp_path / "manifest.json").read_bytes() == before


def test_another_stage_is_refused(tmp_path: Path) -> None:
    open_run(tmp_path).__exit__(None, None, None)
    with pytest.raises(ConfigError, match="holds a 'plan' run, not 'collect'; use another --out"):
        open_run(tmp_path, stage="collect")


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_of_something_else_is_left_alone(tmp_path: Path, overwrite: bool) -> None:  # noqa: FBT001  (a table)
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(ConfigError, match=r"not empty and holds no manifest\.json; choose another"):
        open_run(tmp_path, overwrite=overwrite)
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


@pytest.mark.parametrize("content", ["", "{}", "not json", '{"stage": 3}'])
def test_a_manifest_of_something_else_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "manifest.json").write_text(content)
    for overwrite in (False, True):
        with pytest.raises(ConfigError, match=r"manifest\.json: not a run manifest"):
            open_run(tmp_path, overwrite=overwrite)
    assert (tmp_path / "manifest.json").read_text() == content


def test_overwrite_starts_anew(tmp_path: Path) -> None:
    with open_run(tmp_path) as run:
        add_record(run)
        write_text(tmp_path / "model" / "weights", "1")
    outside = tmp_path.parent / "outside.txt"
    outside.write_text("mine")
    (tmp_path / "link").symlink_to(outside)
    with open_run(tmp_path, stage="collect", config=Config(seed=1), overwrite=True) as run:
        assert not run.resumed
        assert read_manifest(tmp_path).seed == 1
        assert {entry.name for entry in tmp_path.iterdir()} == {".lock", "manifest.json"}
    assert outside.read_text() == "mine"


def test_overwrite_of_nothing_is_a_fresh_run(tmp_path: Path) -> None:
    with open_run(tmp_path / "new", overwrite=True) as run:
        assert not run.resumed


def test_what_a_crash_in_the_first_moment_leaves_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / ".lock").touch()
    (tmp_path / "manifest.json.part").write_text('{"sta')
    with open_run(tmp_path) as run:
        assert not run.resumed


def test_a_folder_has_one_writer(tmp_path: Path) -> None:
    with open_run(tmp_path):
        for overwrite in (False, True):
            with pytest.raises(ConfigError, match="another armap process is writing"):
                open_run(tmp_path, overwrite=overwrite)
    with open_run(tmp_path) as run:
        assert run.resumed


def test_a_refusal_frees_the_lock(tmp_path: Path) -> None:
    open_run(tmp_path).__exit__(None, None, None)
    with pytest.raises(ConfigError, match="another configuration"):
        open_run(tmp_path, config=Config(seed=1))
    with open_run(tmp_path) as run:
        assert run.resumed


def fail_in(run: RunFolder) -> None:
    with pytest.raises(RuntimeError, match="boom"), run:
        raise RuntimeError("boom")


def test_a_run_that_failed_before_its_first_record_can_be_started_otherwise(tmp_path: Path) -> None:
    fail_in(open_run(tmp_path))
    assert not (tmp_path / "manifest.json").exists()
    with open_run(tmp_path, stage="collect", config=Config(seed=1)) as run:
        assert not run.resumed


def test_a_run_that_failed_with_records_goes_on(tmp_path: Path) -> None:
    run = open_run(tmp_path)
    add_record(run)
    fail_in(run)
    assert not read_manifest(tmp_path).finished
    with pytest.raises(ConfigError, match="seed is 0 there and 1 here"):
        open_run(tmp_path, config=Config(seed=1))
    with open_run(tmp_path) as run:
        assert run.resumed


def test_what_failed_is_no_record(tmp_path: Path) -> None:
    run = open_run(tmp_path)
    write_text(tmp_path / "failures.jsonl", Row(index=0).model_dump_json() + "\n")
    fail_in(run)
    with open_run(tmp_path, config=Config(seed=1)) as run:
        assert not run.resumed


def test_a_checkpoint_folder_counts_as_a_record(tmp_path: Path) -> None:
    run = open_run(tmp_path)
    write_text(tmp_path / "checkpoint" / "state.json", "{}")
    fail_in(run)
    assert read_manifest(tmp_path).stage == "plan"


def test_the_lock_is_free_after_an_error(tmp_path: Path) -> None:
    fail_in(open_run(tmp_path))
    open_run(tmp_path).__exit__(None, None, None)


def test_seconds_add_up_over_sessions_until_the_run_is_finished(tmp_path: Path) -> None:
    spent = [0.0]
    for _ in range(2):
        with open_run(tmp_path):
            time.sleep(0.02)
        spent.append(read_manifest(tmp_path).seconds)
        assert spent[-1] >= spent[-2] + 0.02
    with open_run(tmp_path) as run:
        run.finish()
        assert read_manifest(tmp_path).finished
        done = read_manifest(tmp_path).seconds
        time.sleep(0.02)
    with open_run(tmp_path) as run:
        assert run.manifest.finished
        time.sleep(0.02)
    assert read_manifest(tmp_path) == run.manifest
    assert run.manifest.finished
    assert run.manifest.seconds == pytest.approx(done)
    assert done < spent[-1] + 5


def test_read_manifest_wants_a_run_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "empty").mkdir()
    for name in ("absent", "file", "empty"):
        with pytest.raises(ConfigError, match=rf"{name}: not a run folder \(manifest\.json"):
            read_manifest(tmp_path / name)


def test_a_manifest_reads_as_json(tmp_path: Path) -> None:
    with open_run(tmp_path) as run:
        content = json.loads((tmp_path / "manifest.json").read_text())
        assert Manifest.model_validate(content) == run.manifest


PLAIN = st.integers(0, 5) | st.text("ab", max_size=2) | st.lists(st.integers(0, 3), max_size=2)
SETTINGS = st.recursive(
    st.dictionaries(st.text("abc", min_size=1, max_size=2), PLAIN, max_size=3),
    lambda inner: st.dictionaries(
        st.text("abc", min_size=1, max_size=2), PLAIN | inner, max_size=3
    ),
    max_leaves=4,
)


def flat(settings: dict[str, object], at: str = "") -> dict[str, object]:
    """Settings by dotted key; an empty group is a value."""
    found: dict[str, object] = {}
    for key, value in settings.items():
        if isinstance(value, dict) and value:
            found |= flat(value, f"{at}{key}.")
        else:
            found[at + key] = value
    return found


@given(SETTINGS, SETTINGS)
@settings(deadline=None, max_examples=100)
def test_differences_are_none_exactly_for_equal_settings(
    old: dict[str, object], new: dict[str, object]
) -> None:
    assert differences(old, old) == []
    assert (differences(old, new) == []) == (old == new)
    assert len(differences(old, new)) == len(differences(new, old))


@given(SETTINGS, st.data())
@settings(deadline=None, max_examples=100)
def test_one_change_is_one_difference_at_its_key(
    old: dict[str, object], data: st.DataObject
) -> None:
    keys = [key for key, value in flat(old).items() if value != {}]
    if not keys:
        return
    key = data.draw(st.sampled_from(keys))
    new = json.loads(json.dumps(old))
    place = new
    *parents, last = key.split(".")
    for parent in parents:
        place = place[parent]
    was, place[last] = place[last], "changed"
    assert differences(old, new) == [f'{key} is {json.dumps(was)} there and "changed" here']


def test_a_key_on_one_side_only_is_a_difference() -> None:
    assert differences({}, {"a": {"b": 1}}) == ['a is null there and {"b": 1} here']
    assert differences({"a": [1, 2]}, {"a": [2, 1]}) == ["a is [1, 2] there and [2, 1] here"]
