"""The process, run without an engine."""

from datetime import date

from django.contrib.auth.models import User
from django.test import TestCase

from leave.requests import NAME, ask, define, grant
from workflow.errors import NotAllowed
from workflow.testing import Workflow


class LeaveTests(TestCase):
    def setUp(self) -> None:
        self.anna = User.objects.create_user("anna")
        self.mark = User.objects.create_user("mark")
        define("mark, anna")

    def test_what_is_approved_is_booked(self) -> None:
        with Workflow() as workflow:
            workflow.fake("book", returns="B-17")
            request = ask(self.anna, date(2026, 3, 5), date(2026, 3, 10))
            workflow.run()
            grant(request, self.mark)
            workflow.run()
            request.refresh_from_db()
            self.assertEqual((request.state, request.data["booked"]), ("FINISHED", "B-17"))
            self.assertEqual(workflow.called("book"), [{"days": 4}])

    def test_nobody_grants_their_own(self) -> None:
        with Workflow() as workflow:
            request = ask(self.anna, date(2026, 3, 5), date(2026, 3, 10))
            workflow.run()
            with self.assertRaises(NotAllowed):
                grant(request, self.anna)
            workflow.reject(NAME, "Approve", by=self.mark)
            request.refresh_from_db()
            self.assertEqual(request.state, "REJECTED")

    def test_a_weekend_is_nothing_to_ask_for(self) -> None:
        with self.assertRaisesMessage(ValueError, "no working day"):
            ask(self.anna, date(2026, 3, 7), date(2026, 3, 8))
