"""The page: what stands in it, what is left out, and that nothing gets in from a run."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from armap.evaluate import CurvePoint, Row
from armap.report import Example, ReportData, Shown, render_page
from armap.report.headline import above_oracle, headline
from armap.rewards.card import Calibration, RewardCard
from armap.rewards.train import LearningPoint

NBSP = "\N{NO-BREAK SPACE}"
VOID = {"meta", "link", "br"}


def row(planner: str, success: float, *, n: int = 10, tasks: int = 100) -> Row:
    interval = (max(success - 0.08, 0.0), min(success + 0.08, 1.0))
    return Row(
        planner=planner,
        n=n,
        tasks=tasks,
        success=success,
        ci=interval,
        llm_calls=3981,
        tokens=1_398_112,
        seconds=1234.56,
    )


def shown(score: float | None, *, success: bool | None = True, chosen: bool = False) -> Shown:
    return Shown(
        steps=(("10 - 4 = 6 (left: 5 6 6)", "Left: 5 6 6"),),
        opening="Left: 4 5 6 10",
        score=score,
        calibrated=None if score is None else 0.5,
        success=success,
        chosen=chosen,
    )


def example(*candidates: Shown, instruction: str = "Make 24 from 4 5 6 10.") -> Example:
    return Example(task="t-1", instruction=instruction, planner="mcts", candidates=candidates)


EMPTY = ReportData(
    title="A title",
    subtitle="",
    rows=(),
    curve=(),
    learning=(),
    card=None,
    solved_scores=(),
    unsolved_scores=(),
    examples=(),
    facts=(),
)
CARD = RewardCard(
    base="embedded:game24",
    renderer="dialogue-1",
    max_length=1024,
    calibration=Calibration(mean=0.2, spread=2.1),
    train_pairs=20480,
    held_out_pairs=1812,
    held_out_accuracy=0.953,
)
ROWS = (
    row("greedy", 0.31, n=1),
    row("sampling", 0.24),
    row("best_of_n", 0.81),
    row("mcts", 0.85, n=30),
    row("oracle", 0.83),
)
LEARNING = (
    LearningPoint(step=10, pairs=320, train_loss=0.6),
    LearningPoint(step=10, pairs=320, held_out_loss=0.62, held_out_accuracy=0.7),
    LearningPoint(step=20, pairs=640, train_loss=0.3),
    LearningPoint(step=20, pairs=640, held_out_loss=0.35, held_out_accuracy=0.9),
)
FULL = EMPTY.model_copy(
    update={
        "subtitle": "A subtitle",
        "rows": ROWS,
        "curve": tuple(CurvePoint(n=n, selected=0.8, oracle=0.9, mean=0.3) for n in (1, 2, 3)),
        "learning": LEARNING,
        "card": CARD,
        "solved_scores": (1.0, 2.0),
        "unsolved_scores": (-1.0, 0.5, 0.1),
        "examples": (example(shown(0.5), shown(1.5, chosen=True), shown(-1.0, success=False)),),
        "facts": (("Seed", "7"), ("Command", "armap plan configs/plan.yaml")),
    }
)
SECTIONS = {
    "results": "rows",
    "curve": "curve",
    "scores": "solved_scores",
    "examples": "examples",
    "facts": "facts",
}


class Balanced(HTMLParser):
    """Fails on a tag that is closed out of turn."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def plain(page: str) -> str:
    """The words of a page, evenly spaced."""
    body = re.sub(r"<(style|script|svg).*?</\1>", " ", page, flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body))


def sections(page: str) -> list[str]:
    return re.findall(r'<section id="(\w+)"', page)


class TestPage:
    @pytest.mark.parametrize("data", [EMPTY, FULL])
    def test_tags_are_balanced(self, data: ReportData) -> None:
        parser = Balanced()
        parser.feed(render_page(data))
        parser.close()
        assert parser.open == []

    def test_refers_to_nothing_outside(self) -> None:
        page = render_page(FULL).replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://|@import|url\(|\bsrc=", page)
        targets = re.findall(r'href="([^"]*)"', page)
        assert {target for target in targets if not target.startswith("#")} == {"data:,"}

    def test_equal_data_give_equal_pages(self) -> None:
        again = ReportData.model_validate_json(FULL.model_dump_json())
        assert render_page(again) == render_page(FULL)

    def test_everything_has_its_section_and_link(self) -> None:
        page = render_page(FULL)
        assert sections(page) == ["results", "curve", "model", "scores", "examples", "facts"]
        assert re.findall(r'href="#(\w+)"', page) == sections(page)

    def test_nothing_gives_no_section(self) -> None:
        page = render_page(EMPTY)
        assert sections(page) == []
        assert "<svg" not in page
        assert "<script" not in page
        assert "A title" in page

    @pytest.mark.parametrize(("section", "field"), SECTIONS.items())
    def test_a_section_without_data_is_left_out(self, section: str, field: str) -> None:
        without = FULL.model_copy(update={field: (), "unsolved_scores": ()})
        assert section not in sections(render_page(without))

    def test_the_model_shows_with_a_card_or_a_curve(self) -> None:
        card_only = render_page(EMPTY.model_copy(update={"card": CARD}))
        curve_only = render_page(EMPTY.model_copy(update={"learning": LEARNING}))
        assert sections(card_only) == sections(curve_only) == ["model"]
        assert "<svg" not in card_only
        assert "Calibration" not in curve_only

    def test_partial_success_shows_where_the_environment_knows_it(self) -> None:
        rows = [
            row.model_copy(update={"score": row.success + 0.1 * (row.planner != "oracle")})
            for row in ROWS
        ]
        half = shown(0.5, success=False, chosen=True).model_copy(update={"mark": 0.75})
        page = plain(
            render_page(FULL.model_copy(update={"rows": tuple(rows), "examples": (example(half),)}))
        )
        assert "Tasks Mean score Success" in page
        assert "ARMAP-B 10 100 0.910 81.0" in page
        assert "its mean score is 0.910, Greedy's 0.410." in page.replace("&#39;", "'")
        assert "not solved, 0.75 of 1" in page
        whole = [row.model_copy(update={"score": row.success}) for row in ROWS]
        unpartial = plain(render_page(FULL.model_copy(update={"rows": tuple(whole)})))
        assert "score is the environment's own" not in unpartial.replace("&#39;", "'")
        assert "Mean score" not in unpartial

    def test_rows_of_other_tasks_are_told_apart(self) -> None:
        said = "not all of the same tasks"
        mixed = (*ROWS, row("reflexion", 0.7, tasks=50))
        assert said in plain(render_page(FULL.model_copy(update={"rows": mixed})))
        assert said not in plain(render_page(FULL))

    def test_text_of_a_run_is_escaped(self) -> None:
        evil = "<script>alert(1)</script>"
        nasty = shown(1.0, chosen=True).model_copy(
            update={"steps": ((evil, evil),), "opening": evil}
        )
        data = FULL.model_copy(
            update={
                "title": evil,
                "subtitle": evil,
                "facts": ((evil, evil),),
                "rows": (row(evil, 0.5),),
                "examples": (
                    Example(task=evil, instruction=evil, planner=evil, candidates=(nasty,)),
                ),
            }
        )
        page = render_page(data)
        assert "<script>alert" not in page
        assert page.count("&lt;script&gt;alert(1)") >= 10
        assert page.count("<script>") == 1


class TestTable:
    def test_shows_names_numbers_and_separators(self) -> None:
        said = plain(render_page(FULL)).replace(NBSP, " ")
        assert "ARMAP-B 10 100 81.0 % 73.0 \N{EN DASH} 89.0 % 3,981 1,398,112 1,234.6" in said
        for name in ("Greedy", "Sampling (mean)", "ARMAP-M", "Oracle"):
            assert name in said

    def test_an_unknown_planner_keeps_its_name(self) -> None:
        page = render_page(EMPTY.model_copy(update={"rows": (row("my_planner", 0.5),)}))
        assert '<th scope="row">my_planner</th>' in page

    def test_explains_who_beats_the_oracle(self) -> None:
        assert above_oracle(ROWS) == ("ARMAP-M",)
        assert above_oracle(ROWS[:2]) == ()
        assert "ARMAP-M can lie above it" in plain(render_page(FULL))

    def test_names_the_budget_when_a_planner_has_two_rows(self) -> None:
        rows = (row("best_of_n", 0.6, n=5), row("best_of_n", 0.8))
        page = render_page(EMPTY.model_copy(update={"rows": rows}))
        assert "ARMAP-B, N = 5" in page


class TestHeadline:
    def test_compares_best_of_n_with_greedy_and_oracle(self) -> None:
        found = headline(ROWS)
        assert found is not None
        assert [value for value, _ in found.figures] == [f"81.0{NBSP}%", "+50.0", f"97.6{NBSP}%"]
        assert "50.0 points more than Greedy" in found.sentence
        assert "do not overlap" in found.sentence

    def test_says_when_planning_hurts(self) -> None:
        found = headline((row("greedy", 0.5), row("best_of_n", 0.45)))
        assert found is not None
        assert found.figures[1][0] == "\N{MINUS SIGN}5.0"
        assert "5.0 points fewer than Greedy" in found.sentence
        assert "intervals overlap" in found.sentence

    def test_says_when_nothing_changes(self) -> None:
        found = headline((row("greedy", 0.5), row("best_of_n", 0.5)))
        assert found is not None
        assert "just as many as Greedy" in found.sentence

    def test_compares_only_equal_budgets_with_the_oracle(self) -> None:
        found = headline((row("best_of_n", 0.6, n=5), row("oracle", 0.9, n=10)))
        assert found is not None
        assert len(found.figures) == 1

    def test_an_oracle_that_solves_nothing_has_no_share(self) -> None:
        found = headline((row("best_of_n", 0.0), row("oracle", 0.0)))
        assert found is not None
        assert len(found.figures) == 1

    def test_takes_the_largest_budget(self) -> None:
        found = headline((row("best_of_n", 0.6, n=5), row("best_of_n", 0.7, n=10)))
        assert found is not None
        assert found.figures[0][0] == f"70.0{NBSP}%"

    def test_falls_back_on_what_there_is(self) -> None:
        found = headline((row("sampling", 0.2), row("mine", 0.4)))
        assert found is not None
        assert found.figures[0][1] == "of 100 tasks solved by mine"
        assert headline(()) is None
        assert headline((row("oracle", 0.9),)) is None


class TestExamples:
    def test_candidates_are_sorted_by_score(self) -> None:
        ranked = example(shown(None), shown(-1.0), shown(2.0), shown(0.0)).ranked
        assert [item.score for item in ranked] == [2.0, 0.0, -1.0, None]

    def test_the_chosen_one_is_marked_and_open(self) -> None:
        page = render_page(FULL)
        assert page.count('<details class="candidate chosen" open>') == 1
        assert page.count('<details class="candidate">') == 2
        assert re.search(r"chosen #1 · score 1\.50 · calibrated 0\.50", plain(page))

    def test_verdicts_are_words(self) -> None:
        made = example(shown(1.0, chosen=True), shown(0.5, success=False), shown(0.1, success=None))
        said = plain(render_page(EMPTY.model_copy(update={"examples": (made,)})))
        assert "✓ solved" in said
        assert "✗ not solved" in said
        assert "not graded" in said
        assert "1 of 3 shown candidates solved" in said

    def test_no_answer_is_said(self) -> None:
        page = render_page(EMPTY.model_copy(update={"examples": (example(),)}))
        assert "✗ no answer" in page
        assert 'data-verdict="unsolved"' in page

    def test_the_dialogue_reads_in_order(self) -> None:
        said = plain(render_page(FULL))
        turns = "environment Left: 4 5 6 10 agent 10 - 4 = 6 (left: 5 6 6) environment Left: 5 6 6"
        assert turns in said

    def test_the_filter_waits_for_the_script(self) -> None:
        page = render_page(FULL)
        assert '<div class="filter" hidden>' in page
        assert '<option value="mcts">ARMAP-M</option>' in page
