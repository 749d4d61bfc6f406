"""Instructions: Markdown with values, of which nothing has an effect but to be read."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from tests.build import code, manual, process, waits
from workflow import operations
from workflow.people.instructions import rendered


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("", ""),
        ("Look at **this**.", "<p>Look at <strong>this</strong>.</p>\n"),
        ("Pay {{ data.amount }}.", "<p>Pay 12.50.</p>\n"),
        ("**{{data.claimant.first_name}}**", "<p><strong>Ada</strong></p>\n"),
        ("{{ data.items.1 }}", "<p>lamp</p>\n"),
        ("{{ data.items }}", "<p>desk, lamp</p>\n"),
        ("{{ data.paid }} {{ data.none }}", "<p>no –</p>\n"),
        ("{{ data.agreed }}", "<p>yes</p>\n"),
        ("{{ data.due }}", "<p>March 1, 2026</p>\n"),
        ("{{ data.sent }}", "<p>March 1, 2026, 9:30 a.m.</p>\n"),
        ("{{ data.receipt }}", "<p>a.pdf</p>\n"),
        ("{{ data.amont }}", '<p><span class="workflow-gap">[data.amont is missing]</span></p>\n'),
        ("{{ data.items.7 }}", '<p><span class="workflow-gap">[data.items.7 is missing]</span></p>\n'),
        (
            "{{ data.amount.__class__ }}",
            '<p><span class="workflow-gap">[data.amount.__class__ is missing]</span></p>\n',
        ),
        ("{{ 1 + 1 }} {% now %}", "<p>{{ 1 + 1 }} {% now %}</p>\n"),
        ("<b>x</b>", "<p>&lt;b&gt;x&lt;/b&gt;</p>\n"),
        ("[x](javascript:alert)", "<p>[x](javascript:alert)</p>\n"),
        ("[x](https://a.example)", '<p><a href="https://a.example" rel="noopener noreferrer">x</a></p>\n'),
        ("![x](https://a.example)", '<p>!<a href="https://a.example" rel="noopener noreferrer">x</a></p>\n'),
        ("{{ data.evil }}", "<p>**a** &lt;script&gt; [b](https://b.example) {{ data.amount }}</p>\n"),
    ],
)
def test_a_template(template: str, expected: str) -> None:
    data = {
        "amount": Decimal("12.50"),
        "claimant": {"first_name": "Ada"},
        "items": ["desk", "lamp"],
        "paid": False,
        "agreed": True,
        "none": None,
        "due": date(2026, 3, 1),
        "sent": datetime(2026, 3, 1, 9, 30, tzinfo=timezone.get_current_timezone()),
        "receipt": {"upload": 1, "name": "a.pdf", "size": 2},
        "evil": "**a** <script> [b](https://b.example) {{ data.amount }}",
    }
    assert rendered(template, data) == expected


@given(st.text())
def test_no_value_becomes_markup(value: str) -> None:
    page = rendered("{{ data.x }}", {"x": value})
    assert page.startswith("<p>")
    inner = page.removeprefix("<p>").removesuffix("</p>\n")
    assert not set("<>\"'") & set(inner)


@given(st.text(alphabet="<>![]()/\"' abchtps:\n*_`&;={}.x"))
def test_no_template_loads_or_runs_anything(template: str) -> None:
    page = rendered(template, {}).lower()
    for tag in ("<img", "<script", "<iframe", "<style", "<object", 'href="javascript'):
        assert tag not in page


@pytest.mark.django_db(transaction=True)
class TestWaiting:
    def test_as_it_was_frozen_with_what_the_instance_knows(self, people: Any) -> None:
        made = process("Sign", {"Sign": manual("anna", instructions="# {{ data.what }}")}, (1, "Sign"))
        waiting = waits("Sign", {"what": "A desk"})
        made.tasks.update(instructions="changed")
        assert operations.instructions_html(waiting) == "<h1>A desk</h1>\n"

    def test_what_code_asks_is_plain_text(self, people: Any) -> None:
        process("Ask", {"Ask": code("approval('anna', '**Well** <b>?')")}, (1, "Ask"))
        assert operations.instructions_html(waits("Ask")) == '<p class="workflow-question">**Well** &lt;b&gt;?</p>'
