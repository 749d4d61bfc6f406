"""The picture of a process: what it shows, by tables; that any draft is drawn well, by properties."""

from dataclasses import replace
from itertools import combinations
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow.definition import Definition, Row, TaskDefinition
from workflow.diagram import Mark, describe, render
from workflow.diagram.cards import CONDITION_LINES, ICON, ICON_GAP, MONO, NAME, NAME_LINES, PADDING, SMALL, Card, card
from workflow.diagram.lanes import LANES, Wire
from workflow.diagram.layout import Layout, box_width, lay_out
from workflow.diagram.links import is_safe
from workflow.diagram.places import Box, Rectangle
from workflow.diagram.text import clean, shorten, wrap

SVG = "{http://www.w3.org/2000/svg}"
WAYS = ("then", "rejected", "error")
HOSTILE = "<script>alert(1)</script>&\"']]>"


def definition(*rows: Row, name: str = "P", manual: str = "", **fields: Any) -> Definition:
    """A process of these rows; the tasks whose names are in `manual` are decided by people."""
    names = dict.fromkeys(row.task for row in rows)
    tasks = (
        TaskDefinition(name=task, manual=task in manual.split(), code="" if task in manual.split() else "1", **fields)
        for task in names
    )
    return Definition(name=name, tasks=tuple(tasks), rows=tuple(sorted(rows, key=lambda row: row.sequence)))


def picture(process: Definition, **state: Any) -> ET.Element:
    return ET.fromstring(render(process, **state))


def having(root: ET.Element, name: str) -> list[ET.Element]:
    """The elements of that class, in the order in which they are drawn."""
    return [element for element in root.iter() if f"diagram-{name}" in element.get("class", "").split()]


def texts(element: ET.Element) -> list[str]:
    return [line.text or "" for line in element.iter(f"{SVG}text")]


def hint(element: ET.Element) -> str:
    return element.findtext(f"{SVG}title") or ""


def laid_out(process: Definition) -> Layout:
    return lay_out(process, cards(process))


def cards(process: Definition) -> list[Card]:
    return [
        card(process, index, width=box_width(len(process.step(row.sequence))), mark=Mark.CANCELLED, problem=True)
        for index, row in enumerate(process.rows)
    ]


# Arbitrary drafts -----------------------------------------------------------------------------------------------

NAMES = st.one_of(st.sampled_from(["a", "b", HOSTILE, "", "אישור", "long " * 50]), st.text(max_size=300))
TARGETS = st.one_of(st.none(), st.integers(-2, 14), st.integers())
ROWS = st.builds(
    Row,
    task=NAMES,
    sequence=st.integers(0, 12),
    condition=st.one_of(st.just(""), NAMES),
    then=TARGETS,
    on_reject=TARGETS,
    on_error=TARGETS,
    ends_step=st.booleans(),
)
TASKS = st.builds(
    TaskDefinition,
    name=NAMES,
    manual=st.booleans(),
    code=st.sampled_from(["", "1"]),
    approver=NAMES,
    subprocess=st.one_of(st.just(""), NAMES),
    timeout=st.one_of(st.none(), st.floats()),
)


@st.composite
def drafts(draw: st.DrawFn) -> Definition:
    rows = sorted(draw(st.lists(ROWS, max_size=16)), key=lambda row: row.sequence)
    known = [replace(draw(TASKS), name=row.task) for row in rows if draw(st.booleans())]
    return Definition(name=draw(NAMES), tasks=(*draw(st.lists(TASKS, max_size=3)), *known), rows=tuple(rows))


class TestEveryDraft:
    @given(drafts(), st.dictionaries(st.integers(0, 15), st.sampled_from(Mark)), st.sets(st.integers(0, 15)))
    def test_is_drawn_as_well_formed_xml_with_one_box_for_each_row(
        self, process: Definition, marks: dict[int, Mark], problems: set[int]
    ) -> None:
        root = picture(process, marks=marks, problems=problems, current=3, links={0: "/a?b=1&c=<2>"})
        rows = [element.get("data-row") for element in having(root, "row")]
        assert sorted(rows, key=str) == sorted(map(str, range(len(process.rows))))
        assert len(having(root, "box")) == len(process.rows)

    @given(drafts())
    def test_is_drawn_alike_twice(self, process: Definition) -> None:
        assert render(process) == render(Definition.from_json(process.to_json()))

    @given(drafts())
    def test_gives_no_element_or_attribute_of_its_own(self, process: Definition) -> None:
        elements = {element.tag.removeprefix(SVG) for element in picture(process).iter()}
        assert elements <= {"svg", "title", "desc", "g", "rect", "path", "circle", "text"}
        attributes = {name for element in picture(process).iter() for name in element.attrib}
        assert not {name for name in attributes if name == "style" or name.startswith("on")}

    @given(drafts())
    def test_can_be_sent_as_utf_8(self, process: Definition) -> None:
        assert render(process).encode()

    @given(drafts())
    def test_says_each_name_in_full(self, process: Definition) -> None:
        hints = [hint(row) for row in having(picture(process), "row")]
        for index, row in enumerate(process.rows):
            assert clean(row.task) in hints[index]
            assert clean(row.condition) in hints[index]

    @given(drafts())
    def test_has_boxes_that_do_not_overlap_and_stand_in_their_step(self, process: Definition) -> None:
        layout = laid_out(process)
        for one, other in combinations([box.area for step in layout.steps for box in step.boxes], 2):
            assert not overlap(one, other)
        for one, other in combinations(layout.steps, 2):
            assert not overlap(one.area, other.area)
        assert all(within(box.area, step.area) for step in layout.steps for box in step.boxes)
        assert all(within(step.area, layout.area) for step in layout.steps)

    @given(drafts())
    def test_has_text_that_fits_its_box(self, process: Definition) -> None:
        for drawn in cards(process):
            room = drawn.width - 2 * PADDING
            assert all(NAME.width(line) <= room - 2 * (ICON + ICON_GAP) for line in drawn.name)
            assert all(MONO.width(line) <= room for line in drawn.condition)
            assert all(SMALL.width(port.text) <= room for port in drawn.ports)
            assert all(SMALL.width(note.text) <= room for note in drawn.notes)
            assert len(drawn.name) <= NAME_LINES
            assert len(drawn.condition) <= CONDITION_LINES

    @given(drafts())
    def test_draws_each_jump_from_its_box_to_its_step_or_as_a_stub(self, process: Definition) -> None:
        layout = laid_out(process)
        leaving = [port for drawn in cards(process) for port in drawn.ports if port.jump is not None]
        wired = [port for wire in layout.wires for port in wire.exits]
        assert len(wired) + len(layout.stubs) == len(leaving)
        for wire in layout.wires:
            assert {port.port.jump.target for port in wire.exits if port.port.jump} == {wire.step.sequence}
            assert wire.step.area.y < wire.y < wire.step.area.bottom
        for port in [*wired, *layout.stubs]:
            assert port.x == port.box.area.edge(port.side)
            assert port.box.area.y < port.y < port.box.area.bottom

    @given(drafts())
    def test_has_jumps_that_run_through_no_box(self, process: Definition) -> None:
        layout = laid_out(process)
        boxes = [box for step in layout.steps for box in step.boxes]
        for wire in layout.wires:
            for segment in segments(layout, wire):
                assert not [box for box in boxes if crosses(segment, box)]

    @given(drafts())
    def test_has_jumps_that_do_not_lie_on_each_other(self, process: Definition) -> None:
        layout = laid_out(process)
        for one, other in combinations(layout.wires, 2):
            for segment in segments(layout, one):
                assert not any(
                    overlap(segment, another) for another in segments(layout, other) if alike(segment, another)
                )

    @given(drafts())
    def test_stays_within_its_own_area(self, process: Definition) -> None:
        layout = laid_out(process)
        for wire in layout.wires:
            assert all(within(segment, layout.area) for segment in segments(layout, wire))


def segments(layout: Layout, wire: Wire) -> list[Rectangle]:
    """The straight pieces of a wire, without its turns, as thin rectangles."""
    lane = layout.lane_x(wire)
    heights = [wire.y, *(leaving.y for leaving in wire.exits)]
    across = [level(leaving.x, lane, leaving.y) for leaving in wire.exits]
    trunk = Rectangle(x=lane - 0.5, y=min(heights), width=1, height=max(heights) - min(heights))
    return [level(wire.end, lane, wire.y), trunk, *across]


def level(start: float, end: float, y: float) -> Rectangle:
    return Rectangle(x=min(start, end), y=y - 0.5, width=abs(end - start), height=1)


def alike(one: Rectangle, other: Rectangle) -> bool:
    """Whether both run the same way; those that cross may meet."""
    return (one.width > one.height) == (other.width > other.height)


def overlap(one: Rectangle, other: Rectangle) -> bool:
    beside = one.x + one.width <= other.x or other.x + other.width <= one.x
    return not beside and one.bottom > other.y and other.bottom > one.y


def within(inner: Rectangle, outer: Rectangle) -> bool:
    across = outer.x <= inner.x and inner.x + inner.width <= outer.x + outer.width
    return across and outer.y <= inner.y and inner.bottom <= outer.bottom


def crosses(segment: Rectangle, box: Box) -> bool:
    """Whether the segment runs through the inside of the box; one that starts at its edge does not."""
    return overlap(segment, box.area.grown(-1))


# What is shown --------------------------------------------------------------------------------------------------


class TestBoxes:
    @pytest.mark.parametrize(
        ("task", "kind", "icons"),
        [
            (TaskDefinition(name="t", manual=True), "manual", 1),
            (TaskDefinition(name="t", code="1"), "code", 1),
            (TaskDefinition(name="t", subprocess="Other"), "subprocess", 1),
            (TaskDefinition(name="t"), "empty", 2),
            (TaskDefinition(name="another", code="1"), "unknown", 2),
        ],
    )
    def test_tell_the_kinds_of_task_apart(self, task: TaskDefinition, kind: str, icons: int) -> None:
        root = picture(Definition(name="P", tasks=(task,), rows=(Row(task="t", sequence=1),)))
        (row,) = having(root, kind)
        assert row.get("data-row") == "0"
        assert len(having(row, "icon")) == icons

    def test_have_another_icon_and_other_corners_for_people_than_for_code(self) -> None:
        root = picture(definition(Row(task="a", sequence=1), Row(task="b", sequence=2), manual="a"))
        people, code = having(root, "icon")
        assert people.get("d") != code.get("d")
        round_box, square_box = having(root, "box")
        assert round_box.get("rx") != square_box.get("rx")

    def test_have_a_second_line_at_both_sides_for_a_process(self) -> None:
        tasks = (TaskDefinition(name="a", subprocess="Other"), TaskDefinition(name="b", code="1"))
        process = Definition(name="P", tasks=tasks, rows=(Row(task="a", sequence=1), Row(task="b", sequence=2)))
        sub, code = having(picture(process, marks={0: Mark.WAITING}), "row")
        assert len(having(sub, "sides")) == 1
        assert not having(code, "sides")
        assert {"runs Other", "rejected → end"} <= set(texts(sub))

    @pytest.mark.parametrize(("seconds", "limit"), [(90.0, "within 1m 30s"), (None, ""), (-1.0, ""), (1e300, "")])
    def test_say_how_long_they_may_take(self, seconds: float | None, limit: str) -> None:
        root = picture(definition(Row(task="a", sequence=1), timeout=seconds))
        assert [line for line in texts(root) if line.startswith("within")] == ([limit] if limit else [])

    def test_show_the_condition_on_the_way_in(self) -> None:
        root = picture(definition(Row(task="a", sequence=1, condition='data["amount"] > 100')))
        assert texts(having(root, "condition")[0]) == ['if data["amount"] > 100']

    def test_shorten_a_long_condition_and_keep_it_in_the_hint(self) -> None:
        condition = " or ".join(f"data[{number}]" for number in range(99))
        root = picture(definition(Row(task="a", sequence=1, condition=condition)))
        shown = " ".join(texts(having(root, "condition")[0]))
        assert shown.endswith("…")
        assert shown.removesuffix("…") in f"if {condition}"
        assert condition in hint(having(root, "row")[0])

    def test_show_who_decides(self) -> None:
        process = definition(Row(task="a", sequence=1, on_reject=1), manual="a", approver="anna , managers")
        assert "by anna, managers" in texts(picture(process))

    @pytest.mark.parametrize("mark", [Mark.DONE, Mark.REJECTED])
    def test_show_who_has_decided_and_no_more_whom_it_asked(self, mark: Mark) -> None:
        process = definition(Row(task="a", sequence=1, on_reject=1), manual="a", approver="anna , managers")
        known = picture(process, marks={0: mark}, decided_by={0: "carl"})
        assert [line for line in texts(known) if line.startswith("by ")] == ["by carl"]
        assert hint(having(known, "row")[0]).startswith("“a”, which asked anna, managers.")
        assert not [line for line in texts(picture(process, marks={0: mark})) if line.startswith("by ")]
        assert "by anna, managers" in texts(picture(process, marks={0: Mark.WAITING}))

    @pytest.mark.parametrize(
        ("row", "manual", "port"),
        [
            (Row(task="a", sequence=5, then=5), False, "then → 5"),
            (Row(task="a", sequence=5, on_reject=5), True, "rejected → 5"),
            (Row(task="a", sequence=5, on_error=5), False, "error → 5"),
            (Row(task="a", sequence=5), True, "rejected → end"),
        ],
    )
    def test_say_where_they_lead(self, row: Row, manual: bool, port: str) -> None:
        assert port in texts(picture(definition(row, manual="a" if manual else "")))

    def test_say_that_they_end_the_step(self) -> None:
        root = picture(definition(Row(task="a", sequence=1, ends_step=True), Row(task="b", sequence=1)))
        first, second = having(root, "row")
        assert "ends the step" in texts(first)
        assert "ends the step" not in texts(second)

    @pytest.mark.parametrize("mark", Mark)
    def test_show_their_mark_by_word_and_icon_and_class(self, mark: Mark) -> None:
        root = picture(definition(Row(task="a", sequence=1)), marks={0: mark})
        (status,) = having(root, "status")
        assert texts(status) == [mark.value]
        assert len(having(status, "icon")) == 1
        assert len(having(root, f"mark-{mark.value}")) == 1

    def test_show_each_mark_by_an_icon_of_its_own(self) -> None:
        process = definition(Row(task="a", sequence=1))
        icons = {having(having(picture(process, marks={0: mark}), "status")[0], "icon")[0].get("d") for mark in Mark}
        assert len(icons) == len(Mark)

    def test_warn_of_a_mistake(self) -> None:
        process = definition(Row(task="a", sequence=1), Row(task="b", sequence=2))
        warned = [bool(having(row, "warning")) for row in having(picture(process, problems={1}), "row")]
        assert warned == [False, True]

    def test_point_out_the_current_step(self) -> None:
        process = definition(Row(task="a", sequence=1), Row(task="b", sequence=2))
        root = picture(process, current=2)
        assert len(having(root, "here")) == 1
        assert [texts(badge) for badge in having(root, "badge")] == [["1"], ["2 · now"]]


class TestFlow:
    def test_runs_straight_down_from_the_start_to_the_end(self) -> None:
        root = picture(definition(Row(task="a", sequence=1), Row(task="b", sequence=9)))
        assert len(having(root, "next")) == 3
        assert [texts(terminal) for terminal in having(root, "terminal")] == [["Start"], ["End"]]

    def test_has_no_arrow_to_a_step_that_does_not_follow(self) -> None:
        root = picture(
            definition(Row(task="a", sequence=1, then=3), Row(task="b", sequence=2), Row(task="c", sequence=3))
        )
        assert len(having(root, "next")) == 3  # start to 1, 2 to 3, 3 to the end

    def test_has_no_end_mark_where_nothing_leads_there(self) -> None:
        assert "End" not in texts(picture(definition(Row(task="a", sequence=1, then=1))))

    def test_draws_no_jump_to_the_step_that_comes_next_anyway(self) -> None:
        root = picture(definition(Row(task="a", sequence=1, then=2), Row(task="b", sequence=2)))
        assert not having(root, "then")
        assert len(having(root, "next")) == 3

    @pytest.mark.parametrize(("way", "field"), [("then", "then"), ("rejected", "on_reject"), ("error", "on_error")])
    def test_draws_each_way_with_dashes_of_its_own(self, way: str, field: str) -> None:
        row = Row(task="a", sequence=1, then=1, on_reject=1, on_error=1)
        root = picture(definition(row, manual="a"))
        dashes = {name: having(having(root, name)[0], "line")[0].get("stroke-dasharray") for name in WAYS}
        assert len(set(dashes.values())) == len(WAYS)
        assert having(root, way)[0].get("data-to") == str(getattr(row, field))

    def test_draws_a_jump_to_no_step_as_a_stub_that_says_so(self) -> None:
        root = picture(definition(Row(task="a", sequence=1, on_error=70)))
        (stub,) = having(root, "stub")
        assert having(stub, "cross")
        assert {"error → 70", "no such step"} <= set(texts(root))

    def test_joins_jumps_of_one_way_to_one_step(self) -> None:
        rows = [Row(task="a", sequence=number, on_error=100) for number in range(50)]
        layout = laid_out(definition(*rows, Row(task="b", sequence=100)))
        (wire,) = layout.wires
        assert len(wire.exits) == 50

    def test_stays_narrow_however_many_jumps_there_are(self) -> None:
        rows = [Row(task="a", sequence=number, then=199 - number, on_error=number // 2) for number in range(200)]
        layout = laid_out(definition(*rows))
        assert {wire.lane for wire in layout.wires} == set(range(LANES))
        assert layout.area.width < 450
        assert layout.stubs

    def test_of_an_empty_process_says_so(self) -> None:
        assert texts(picture(definition())) == ["Start", "No steps yet"]

    def test_puts_parallel_rows_side_by_side_and_wraps_them(self) -> None:
        (step,) = laid_out(definition(*(Row(task=name, sequence=1) for name in "abcde"))).steps
        places = [(box.area.x, box.area.y) for box in step.boxes]
        assert len({y for _, y in places}) == 3
        assert [places[0][1], places[2][1]] == [places[1][1], places[3][1]]
        assert places[0][0] < places[1][0]


class TestLinks:
    @pytest.mark.parametrize("address", ["/a/", "?x=1", "#row-1", "https://x.example/", "HTTP://x.example"])
    def test_lead_to_pages(self, address: str) -> None:
        root = picture(definition(Row(task="a", sequence=1)), links={0: address})
        (link,) = root.iter(f"{SVG}a")
        assert link.get("href") == address
        assert len(having(link, "row")) == 1

    @pytest.mark.parametrize(
        "address",
        ["", "javascript:alert(1)", "JaVaScRiPt:alert(1)", "java\tscript:alert(1)", "\x01javascript:alert(1)",
         " javascript:alert(1)", "data:text/html,x", "vbscript:x", "http://[", "blob:x", "file:///etc/passwd"],
    )  # fmt: skip
    def test_that_could_do_more_are_left_out(self, address: str) -> None:
        assert not is_safe(address)
        assert not list(picture(definition(Row(task="a", sequence=1)), links={0: address}).iter(f"{SVG}a"))

    @pytest.mark.parametrize(("links", "role"), [({}, "img"), ({0: "/a/"}, "group")])
    def test_can_be_reached_with_a_screen_reader(self, links: dict[int, str], role: str) -> None:
        assert picture(definition(Row(task="a", sequence=1)), links=links).get("role") == role


class TestAccess:
    def test_name_and_words_are_tied_to_the_picture(self) -> None:
        process = definition(Row(task="a", sequence=1), name="Expenses")
        root = picture(process)
        ids = {element.get("id"): element.text for element in root.iter() if element.get("id")}
        assert ids[root.get("aria-labelledby")] == "Diagram of the process “Expenses”"
        assert ids[root.get("aria-describedby")] == describe(process)

    def test_no_text_is_smaller_than_twelve_pixels(self) -> None:
        process = definition(
            Row(task="a", sequence=1, condition="x", on_error=7), Row(task="b", sequence=1), manual="a"
        )
        root = picture(process, marks={0: Mark.DONE}, problems={0}, current=1)
        assert min(float(line.get("font-size", 0)) for line in root.iter(f"{SVG}text")) >= 12
        assert root.get("viewBox", "").split()[2:] == [root.get("width"), root.get("height")]


# A row of step 1, before step 5, and what is said of it.
SENTENCES = [
    (Row(task="a", sequence=1), "“a”, done by code. After step 1"),
    (Row(task="a", sequence=1, condition="x > 1"), "Only if x > 1; skipped otherwise."),
    (Row(task="a", sequence=1, then=1), "When it is done, to step 1."),
    (Row(task="a", sequence=1, on_error=5), "When it fails, to step 5."),
    (Row(task="a", sequence=1, on_error=70), "When it fails, to step 70, which does not exist."),
    (Row(task="m", sequence=1), "“m”, decided by any member of staff. When it is rejected, the process ends."),
    (Row(task="m", sequence=1, on_reject=5), "When it is rejected, to step 5."),
    (Row(task="a", sequence=1, ends_step=True), "Once it is done, the step is over."),
    (Row(task="gone", sequence=1), "“gone”, a task that does not exist."),
    (Row(task="s", sequence=1), "“s”, done by the process “Other <b>”. When it is rejected, the process ends."),
    (Row(task="t", sequence=1), "“t”, done by code. It fails unless it is done within 1d 12h. After step 1"),
    (Row(task="idle", sequence=1), "“idle”, which has no work yet."),
    (Row(task="<b>\n\u202e", sequence=1), "“<b> \ufffd”, a task that does not exist."),
]


class TestDescribe:
    @pytest.mark.parametrize(("row", "words"), SENTENCES)
    def test_tells_of_each_row(self, row: Row, words: str) -> None:
        tasks = (
            TaskDefinition(name="a", code="1"),
            TaskDefinition(name="m", manual=True),
            TaskDefinition(name="s", subprocess="Other <b>"),
            TaskDefinition(name="t", code="1", timeout=36 * 3600.0),
            TaskDefinition(name="idle"),
        )
        process = Definition(name="P", tasks=tasks, rows=(row, Row(task="a", sequence=5)))
        assert words in describe(process)

    def test_tells_the_whole_flow_in_order(self) -> None:
        process = definition(
            Row(task="check", sequence=10, then=30),
            Row(task="sign", sequence=20, on_reject=10),
            Row(task="file", sequence=20),
            Row(task="pay", sequence=30),
            name="Claim",
            manual="sign",
            approver="=data['boss']",
        )
        assert describe(process) == (
            "The process “Claim” has 3 steps. "
            "Step 10, where it starts: “check”, done by code. When it is done, to step 30. "
            "Step 20: 2 tasks start together. “sign”, decided by data['boss']. When it is rejected, to step 10. "
            "“file”, done by code. After step 20 comes step 30. "
            "Step 30: “pay”, done by code. After step 30 the process ends."
        )

    def test_tells_the_state(self) -> None:
        process = definition(Row(task="a", sequence=1), Row(task="b", sequence=2))
        assert describe(process, marks={0: Mark.DONE}, current=2, problems={1}) == (
            "The process “P” has 2 steps. "
            "Step 1, where it starts: “a”, done by code. It is done. After step 1 comes step 2. "
            "Step 2, where the instance is now: “b”, done by code. It has a mistake. After step 2 the process ends."
        )

    def test_of_an_empty_process_says_so(self) -> None:
        assert describe(definition(name="P")) == "The process “P” has no steps yet."


class TestText:
    @pytest.mark.parametrize(
        ("text", "lines"),
        [
            ("", ()),
            ("  one\n two ", ("one two",)),
            ("one two three four", ("one two", "three four")),
            ("Donaudampfschiff", ("Donaudampf", "schiff")),
            ("one two three four five six seven", ("one two", "three fou…")),
        ],
    )
    def test_is_wrapped_and_shortened(self, text: str, lines: tuple[str, ...]) -> None:
        assert wrap(text, font=MONO, width=10 * MONO.width("x") + 0.1, lines=2) == lines

    def test_is_not_cut_between_a_letter_and_its_accent(self) -> None:
        accented = "e\u0301" * 20
        assert shorten(accented, font=SMALL, width=60).removesuffix("…").endswith("\u0301")

    @pytest.mark.parametrize("text", ["\x00", "\ud800", "\ufffe", "\u202e", "\x1b", "\x85"])
    def test_that_xml_or_people_would_misread_is_replaced(self, text: str) -> None:
        assert clean(f"a{text}b") == "a\ufffdb"
