"""`manageprocess` and `signalprocess`, each as a process."""

from typing import Any

import pytest

from tests.build import code, manual, process, run_until_idle
from workflow import operations
from workflow.models import Intervention, RunningProcesses, Signal

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


@pytest.fixture
def failed() -> RunningProcesses:
    process("P", {"A": code("look_up('x')\nfail_first(1)\n1")}, (1, "A"))
    operations.start("P")
    run_until_idle()
    return RunningProcesses.objects.get()


class TestManage:
    def test_a_dry_run_shows_the_effects_and_changes_nothing(self, manage: Any, failed: RunningProcesses) -> None:
        shown = manage("manageprocess", "retry", str(failed.pk), "--dry-run")
        assert shown.returncode == 0, shown.stderr
        head, happened, call, again, once_more = shown.stdout.splitlines()
        assert head == f"Instance {failed.pk} of P, FAILED:"
        assert (happened, again) == ("  has happened:", "  would happen again:")
        assert call == once_more
        assert call.startswith("    fail_first(1) -> OSError: ConnectionError: not yet (20")
        failed.refresh_from_db()
        assert failed.state == "FAILED"
        assert not Intervention.objects.exists()

    def test_it_does_nothing_for_who_has_no_right_to_it(
        self, manage: Any, failed: RunningProcesses, django_user_model: Any
    ) -> None:
        django_user_model.objects.create_user("anna", is_staff=True)
        done = manage("manageprocess", "retry", str(failed.pk), "--user", "anna")
        assert done.returncode == 1
        assert "anna may not do this to instances: it takes the permission workflow.operate_instances." in done.stderr
        failed.refresh_from_db()
        assert failed.state == "FAILED"

    def test_it_does_what_it_says_and_keeps_why(
        self, manage: Any, failed: RunningProcesses, django_user_model: Any
    ) -> None:
        django_user_model.objects.create_superuser("olga")
        done = manage("manageprocess", "retry", str(failed.pk), "--user", "olga", "--reason", "it is back")
        assert done.stdout.splitlines()[-1] == f"Instance {failed.pk} of P is READY at step 1."
        kept = Intervention.objects.get()
        assert (kept.action, kept.by.get_username(), kept.reason) == ("retry", "olga", "it is back")
        run_until_idle()
        failed.refresh_from_db()
        assert failed.state == "FINISHED"

    def test_it_says_what_it_passes_over_and_a_user_must_have_the_right_to(
        self, manage: Any, django_user_model: Any
    ) -> None:
        django_user_model.objects.create_superuser("olga")
        process("Q", {"Sign": manual(), "End": code("1")}, (10, "Sign"), (20, "End"))
        instance = operations.start("Q")
        goto = ["manageprocess", "goto", str(instance.pk), "--to", "20"]
        shown = manage(*goto, "--dry-run").stdout
        assert "  would pass over, though nobody has decided it:\n    Sign\n" in shown
        refused = manage(*goto, "--user", "olga")
        assert refused.returncode == 1
        assert "This passes over 'Sign', which nobody has decided. Give a reason." in refused.stderr
        assert manage(*goto, "--user", "olga", "--reason", "on paper").returncode == 0
        kept = Intervention.objects.get()
        assert (kept.by.get_username(), kept.details) == ("olga", "step 20, passing over 'Sign'")

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["resume", "{id}"], "CommandError: Instance {id} is FAILED; resume takes one that is PAUSED."),
            (["cancel", "99999"], "CommandError: There is no instance 99999 that could go on"),
            (["goto", "{id}"], "CommandError: goto needs --to STEP."),
            (["goto", "{id}", "--to", "7"], "CommandError: goto needs one of the steps of P v1: 1; not 7."),
            (["goto", "{id}", "--to", "abc"], "argument --to: 'abc' is not the number of a step, such as 20"),
            (["retry", "{id}", "--to", "7"], "CommandError: --to goes with goto, not with retry."),
            (["explode", "{id}"], "invalid choice: 'explode'"),
            (["retry", "{id}", "--user", "nobody"], "CommandError: There is no active user 'nobody'."),
            (["skip", "{id}", "--result", "{"], "argument --result: This is not JSON"),
            (["retry", "x"], "'x' is not a whole number"),
        ],
    )
    def test_bad_input_says_what_is_wrong_and_changes_nothing(
        self, manage: Any, failed: RunningProcesses, arguments: list[str], message: str
    ) -> None:
        told = manage("manageprocess", *[argument.replace("{id}", str(failed.pk)) for argument in arguments])
        assert told.returncode == 1
        assert message.replace("{id}", str(failed.pk)) in told.stderr
        failed.refresh_from_db()
        assert failed.state == "FAILED"


class TestSignal:
    def test_it_reaches_who_waits_or_is_kept(self, manage: Any) -> None:
        process("P", {"A": code("data['got'] = wait_for('paid')"), "B": manual()}, (1, "A"), (2, "B"))
        instance = operations.start("P")
        run_until_idle()
        sent = manage("signalprocess", "paid", "--data", '{"amount": 3}')
        assert (sent.returncode, sent.stdout) == (0, f"{instance.pk}\n")
        kept = manage("signalprocess", "paid", "--process", "P")
        assert (kept.returncode, kept.stdout) == (0, "")
        assert "Nobody waits for it yet; it is kept." in kept.stderr
        assert Signal.objects.count() == 1
        lost = manage("signalprocess", "paid", "--transient", "--id", str(instance.pk))
        assert "Nobody waits for it." in lost.stderr
        run_until_idle()
        instance.refresh_from_db()
        assert instance.data["got"] == {"amount": 3}

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["paid", "--id", "99999"], "There is no instance 99999 that could go on"),
            (["paid", "--process", "Q"], "There is no process 'Q'."),
            (["paid", "--data", "nonsense"], "This is not JSON"),
            (["paid", "--id", "1", "--process", "Q"], "not allowed with argument"),
            (["x" * 201], "A signal's name is text of 1 to 200 characters."),
            ([], "the following arguments are required: SIGNAL"),
        ],
    )
    def test_bad_input_says_what_is_wrong(self, manage: Any, arguments: list[str], message: str) -> None:
        told = manage("signalprocess", *arguments)
        assert told.returncode == 1
        assert message in told.stderr
        assert not Signal.objects.exists()
