"""Keys of the data that several rows of one step change."""

from dataclasses import replace
from typing import Any

import pytest

from tests.lint.samples import found, manual, process, row, told
from workflow import flow
from workflow.definition import Definition, Field, TaskDefinition
from workflow.lint import keys


def code(text: str) -> TaskDefinition:
    return TaskDefinition(name="a", code=text)


def output(text: str) -> TaskDefinition:
    return TaskDefinition(name="a", subprocess="Child", output=text)


def asking(*names: str) -> TaskDefinition:
    return replace(manual("a"), fields=tuple(Field(name=name) for name in names))


def beside(one: TaskDefinition, other: TaskDefinition, **fields: Any) -> Definition:
    """Two tasks at one step, the second with these fields of its row."""
    return process(row(1, "One"), row(1, "Two", **fields), One=replace(one, name="One"), Two=replace(other, name="Two"))


def warned(definition: Definition) -> list[str]:
    return [finding.message.partition(", as")[0] for finding in found(definition) if "Changes data" in finding.message]


def test_both_rows_and_the_key_are_named() -> None:
    definition = beside(code('data["total"] = 1'), code('if data:\n    data["total"] = 2'))
    (finding,) = found(definition)
    assert (finding.level, finding.task, finding.row, finding.field) == ("warning", "Two", 1, "task")
    assert str(finding) == (
        "Step 1, 'Two': Changes data['total'], as 'One' does at this step. They run at the same time, so the values "
        "from this row replace those from the other. Use different keys, or different steps."
    )


SETS_X = [
    *("data['x'] = n", "data['x']: int = 5", "data['x'] += 1", "data['x'], y = 1, 2", "[y, *data['x']] = 1, 2"),
    *(
        "for data['x'] in [1]:\n    pass",
        "def f():\n    data['x'] = 7\nf()",
        "data.update({'x': n})",
        "data.update(x=n)",
    ),
    *(
        "data = {**data, 'x': n}",
        "data |= {'x': n}",
        "data = data | {'x': n}",
        "data.update({'y': 1} if n else {'x': n})",
    ),
    *("data = dict(data, x=n)", "data = dict({'x': n}, y=1)", "data.update(dict(**{'x': n}))", "data = dict(x=5)"),
    *("data['x']['y'] = 1", "del data['x'][0]", "data['x'].append(1)", "data['x']['y'][0].update(a=1)"),
    *(
        "data.setdefault('x', []).append(1)",
        "data.get('x', {}).pop(0)",
        "n\nif 1:\n    while n:\n        data['x'] = n",
    ),
    *("data['x'] = 5\nif n:\n    data['x'] = 6", "data['x'] = data['y'] = n", "data[f'y'] = 1; data['x'] = n"),
]

LEAVES_X = [
    *("data['y'] = 1", "data['x']", "data['x'] == 1", "data[x] = 1", "results['x'] = 1", "data['x'].count(1)", "x = 1"),
    *("def f(data):\n    data['x'] = n\nf({})", "(lambda *data: data['x'].append(1))([])", "data.get('x')", "1 +", ""),
    *(
        "data['y']['x'] = 1",
        "for x in data['x']:\n    x",
        "data.update(y)",
        "data.update([('x', 1)])",
        "data = dict(data, y=1)",
    ),
]


@pytest.mark.parametrize("text", SETS_X)
def test_code_that_changes_a_key(text: str) -> None:
    for other in (code("data['x'] = 9"), asking("x"), output("{'x': 1}")):
        assert warned(beside(code(text), other)) == warned(beside(other, code(text))) == ["Changes data['x']"], other


@pytest.mark.parametrize("text", LEAVES_X)
def test_code_that_leaves_a_key_alone_or_hides_what_it_does(text: str) -> None:
    assert warned(beside(code(text), code("data['x'] = n"))) == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (code("data['x'] = True"), code("data['x'] = True")),
        (code("data['x'] = 'done'"), output("{'x': 'done'}")),
        (code("del data['x']"), code("data.pop('x', None)")),
        (code("data.setdefault('x', 1)"), code("data.setdefault('x', 1)")),
    ],
)
def test_what_is_the_same_whoever_comes_last(one: TaskDefinition, other: TaskDefinition) -> None:
    assert warned(beside(one, other)) == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (code("data['x'] = True"), code("data['x'] = 1")),
        (code("del data['x']"), code("data['x'] = 1")),
        (code("data.setdefault('x', 1)"), code("data['x'] = 2")),
        (asking("x", "y"), asking("z", "x")),
        (output('{"x": data["x"]} if "x" in data else {}'), output("{'x': 1} | {'y': 2}")),
        (output(" {'x': 1}"), asking("x")),
    ],
)
def test_what_differs_by_who_comes_last(one: TaskDefinition, other: TaskDefinition) -> None:
    assert warned(beside(one, other)) == ["Changes data['x']"]
    assert warned(beside(other, one)) == ["Changes data['x']"]


class TestSubprocessWithoutOutput:
    """Whatever its tasks change is merged into the data of its parent."""

    def warned(self, one: TaskDefinition, other: TaskDefinition, **children: Definition) -> list[str]:
        found = keys.findings(beside(one, other), children.get)
        return [finding.message.partition(", as")[0] for finding in found]

    def child(self, *tasks: TaskDefinition) -> Definition:
        named = {f"Task {number}": replace(task, name=f"Task {number}") for number, task in enumerate(tasks)}
        return process(*(row(number, name) for number, name in enumerate(named)), **named)

    def test_two_that_set_the_same_key(self) -> None:
        one, other = self.child(code("data['x'] = 1"), code("data['y'] = 1")), self.child(code("1"), asking("x"))
        assert self.warned(output(""), below("Other"), Child=one, Other=other) == ["Changes data['x']"]

    def test_one_beside_code_and_beside_an_output(self) -> None:
        child = self.child(code("data = dict(data, x=n)"))
        for beside_it in (code("data['x'] = 2"), output("{'x': 2}")):
            assert self.warned(below("Child"), beside_it, Child=child) == ["Changes data['x']"]

    def test_an_output_hides_the_rest(self) -> None:
        assert self.warned(output("{'y': 1}"), code("data['x'] = 2"), Child=self.child(code("data['x'] = 1"))) == []

    def test_what_is_below_it_counts_too_and_an_endless_descent_ends(self) -> None:
        top, lowest = self.child(below("Lowest"), below("Top")), self.child(code("data['x'] = 1"))
        assert self.warned(below("Top"), code("data['x'] = 2"), Top=top, Lowest=lowest) == ["Changes data['x']"]

    def test_of_a_chain_only_so_many_processes_are_read(self) -> None:
        asked: list[str] = []

        def chain(name: str) -> Definition:
            asked.append(name)
            return self.child(*(below(f"{int(name) + more}") for more in range(1, 30)))

        assert list(keys.findings(beside(below("0"), code("data['x'] = 2")), chain)) == []
        assert len(asked) == keys._MOST_BELOW

    def test_other_keys_the_same_constant_and_one_that_is_unknown(self) -> None:
        one, other = self.child(code("data['x'] = 1")), self.child(code("data['y'] = 1"))
        assert self.warned(below("Child"), below("Other"), Child=one, Other=other) == []
        assert self.warned(below("Child"), below("Child2"), Child=one, Child2=one) == []
        assert self.warned(below("Child"), below("Nobody"), Child=one) == []

    def test_a_task_at_no_step_changes_nothing(self) -> None:
        unused = replace(self.child(code("1")), tasks=(code("data['x'] = 1"), *self.child(code("1")).tasks))
        assert self.warned(below("Child"), code("data['x'] = 2"), Child=unused) == []


def below(name: str) -> TaskDefinition:
    return TaskDefinition(name="a", subprocess=name)


EXCLUDE = [
    ("data['n']", "not data['n']"),
    ("not (data['n'])", " data['n'] "),
    ("data['n'] > 5 and data['m']", "data['n'] <= 5"),
    ("not data['m']", "data['l'] and data['m']"),
    ("data['kind'] == 'a'", "data['kind'] == 'b'"),
    ("data['kind'] in ('a', 'b')", "data['kind'] not in ('a', 'b')"),
]

MAY_BOTH_HOLD = [
    ("data['n']", ""),
    ("", ""),
    ("data['n']", "data['n']"),
    ("data['n']", "data['m']"),
    ("data['n'] > 5", "data['n'] < 9"),
    ("data['n'] == 1", "data['n'] == 1.0"),
    ("data['n'] == 1", "data['m'] == 2"),
    ("not data['n'] == 1", "data['n'] == 2"),
    ("data['n'] or data['m']", "not data['n']"),
    ("(", "not ("),
]


@pytest.mark.parametrize(("one", "other"), EXCLUDE)
def test_conditions_that_exclude_each_other(one: str, other: str) -> None:
    assert warned(conditional(one, other)) == warned(conditional(other, one)) == []


@pytest.mark.parametrize(("one", "other"), MAY_BOTH_HOLD)
def test_conditions_that_may_both_hold(one: str, other: str) -> None:
    assert warned(conditional(one, other)) == warned(conditional(other, one)) == ["Changes data['x']"]


def conditional(one: str, other: str) -> Definition:
    tasks = {"One": replace(asking("x"), name="One"), "Two": replace(asking("x"), name="Two")}
    return process(row(1, "One", condition=one), row(1, "Two", condition=other), **tasks)


def test_where_the_first_one_wins_no_other_is_kept() -> None:
    tasks = {"One": replace(asking("x"), name="One"), "Two": replace(asking("x"), name="Two")}
    ends = row(1, "Two", ends_step=True)
    assert warned(process(row(1, "One", ends_step=True), ends, **tasks)) == []
    assert warned(process(row(1, "One"), ends, **tasks)) == ["Changes data['x']"], "that may be done before"


def test_rows_of_different_steps_follow_each_other() -> None:
    task = code("data['x'] = n")
    assert (
        told(process(row(1, "One"), row(2, "Two"), One=replace(task, name="One"), Two=replace(task, name="Two"))) == []
    )


def test_a_task_twice_is_told_as_that_and_one_that_is_missing_as_that() -> None:
    task = replace(code("data['x'] = n"), name="One")
    assert warned(process(row(1, "One"), row(1, "One"), row(1, "Two"), One=task, Two=None)) == []


def test_a_row_is_told_of_its_keys_in_one_go() -> None:
    tasks = {name: replace(code("data['x'] = n\ndata['y'] = n"), name=name) for name in "abc"}
    definition = process(*(row(1, name) for name in "abc"), **tasks)
    assert [(finding.row, finding.message.partition(". ")[0]) for finding in found(definition)] == [
        (1, "Changes data['x'], data['y'], as 'a' does at this step"),
        (2, "Changes data['x'], data['y'], as 'a' does at this step"),
    ]
    assert warned(beside(asking(*"abcdefg"), asking(*"gfedcba"))) == [
        "Changes data['g'], data['f'], data['e'], data['d'], data['c'], …"
    ]


def test_a_long_key_is_cut() -> None:
    (finding,) = found(beside(code(f"data['{'x' * 5_000}'] = 1"), code(f"data['{'x' * 5_000}'] = 2")))
    assert len(finding.message) < 500


@pytest.mark.parametrize(
    "text", ["data" + "[0]" * 3_000 + " = 1", "-" * 3_000 + "1", "not " * 3_000 + "1", "\0", "'\ud800'"]
)
def test_no_code_and_no_condition_is_too_odd(text: str) -> None:
    assert warned(beside(code(text), output(text), condition=text)) == []
    assert warned(conditional(text, text)) in ([], ["Changes data['x']"])


@pytest.mark.parametrize("side_by_side", [True, False])
def test_of_four_hundred_tasks_each_code_and_each_condition_is_read_once(*, side_by_side: bool) -> None:
    names = [f"t{number}" for number in range(400)]
    tasks = {name: replace(code(f"data['x'] = '{name} {side_by_side}'"), name=name) for name in names}
    rows = [
        row(1 if side_by_side else number, name, condition=f"data['kind'] == '{name} {side_by_side}'")
        for number, name in enumerate(names)
    ]
    read = [keys._of_code.cache_info().misses, keys._parts.cache_info().misses]
    for _ in range(2):
        assert list(keys.findings(process(*rows, **tasks), {}.get)) == []
    again = [keys._of_code.cache_info().misses, keys._parts.cache_info().misses]
    assert [after - before for before, after in zip(read, again, strict=True)] == (
        [400, 400] if side_by_side else [0, 0]
    )


def test_the_last_row_wins_as_the_warning_says() -> None:
    before, one, other = {"x": 0}, {"x": 1}, {"x": 2}
    merged = flow.Changes.between(before, other).applied_to(flow.Changes.between(before, one).applied_to(before))
    assert merged == {"x": 2}
