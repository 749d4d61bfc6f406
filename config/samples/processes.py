"""The sample processes, as plain values: `load` writes them as the drafts that the admin shows.

Each runs to its end without any data given, and takes what is given instead of its own examples.
"""

from dataclasses import dataclass
from datetime import timedelta
from textwrap import dedent
from typing import Any

from workflow.definition import Definition, Field, Kind, Row, TaskDefinition


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A process, what it is for, and who starts it from the pages: whoever may start anything, where nobody is named."""

    description: str
    starters: str = ""
    definition: Definition


def _code(name: str, text: str, *, max_attempts: int = 1, retry_delay: float = 10.0) -> TaskDefinition:
    return TaskDefinition(name=name, code=dedent(text).strip(), max_attempts=max_attempts, retry_delay=retry_delay)


def _manual(name: str, approver: str, *, timeout: timedelta | None = None, **fields: Any) -> TaskDefinition:
    seconds = None if timeout is None else timeout.total_seconds()
    return TaskDefinition(name=name, manual=True, approver=approver, timeout=seconds, **fields)


CLAIM = "**{{ data.claimant }}** claims **{{ data.amount }}** for {{ data.purpose }}."
CLAIM_FORM = (
    Field(name="amount", kind=Kind.NUMBER, required=True, help="Above 100, a manager and finance approve it."),
    Field(name="purpose", label="For what", required=True),
    Field(name="receipt", kind=Kind.FILE, help="A picture or a scan of it."),
)

EXPENSE_CLAIM = Sample(
    description=(
        "An employee claims an expense. Up to 100 it is paid at once; above, a manager and then two of finance approve it. "
        "What they reject goes back to the claimant."
    ),
    definition=Definition(
        name="Expense claim",
        tasks=(
            _code(
                "Check claim",
                """
                data.setdefault("amount", 180)
                data.setdefault("purpose", "Train to Lisbon")
                # Who starts it is the claimant. The command line may start it for nobody: then managers stand in.
                data.setdefault("claimant", run.started_by or "managers")
                data["needs_approval"] = data["amount"] > 100
                f"{data['claimant']} claims {data['amount']} for {data['purpose']}"
                """,
            ),
            _manual("Manager approval", "managers", not_starter=True, instructions=CLAIM, due="2d", remind="0, 1d"),
            _manual(
                "Finance approval",
                "finance",
                quorum=2,
                not_starter=True,
                not_same_as="Manager approval",
                instructions=CLAIM + "\n\nThe manager has approved it. Is the receipt right?",
                fields=(Field(name="cost_centre", help="Where it is booked, such as 4711."),),
                due="3d",
                remind="-4h, 0",
            ),
            _code(
                "Pay out",
                """
                data["transfer"] = pay_out(data["claimant"], data["amount"])
                data["transfer"]
                """,
            ),
            _manual(
                "Correct claim",
                '=data["claimant"]',
                instructions=CLAIM + "\n\nIt was rejected. Approve to claim it once more, reject to give it up.",
                fields=CLAIM_FORM,
            ),
            _code("Tell claimant", """tell(data["claimant"], f"{data['amount']} is paid: {data['transfer']}")"""),
        ),
        rows=(
            Row(sequence=10, task="Check claim"),
            Row(sequence=20, task="Manager approval", condition='data["needs_approval"]', on_reject=50),
            Row(sequence=30, task="Finance approval", condition='data["needs_approval"]', on_reject=50),
            Row(sequence=40, task="Pay out", then=60),
            Row(sequence=50, task="Correct claim", then=10),
            Row(sequence=60, task="Tell claimant"),
        ),
        fields=CLAIM_FORM,
    ),
)

ONBOARDING = Sample(
    description="A new employee starts. HR, IT and the manager do their part at the same time; then comes the welcome.",
    starters="hr",
    definition=Definition(
        name="Onboarding",
        tasks=(
            _code(
                "Collect details",
                """
                data.setdefault("name", "Ada Lovelace")
                data.setdefault("role", "Analyst")
                f"{data['name']} starts as {data['role']}"
                """,
            ),
            _manual("Sign contract", "hr"),
            _manual("Set up laptop", "it"),
            _manual("Choose buddy", "managers"),
            _code(
                "Open account",
                """
                data["email"] = open_account(data["name"])
                data["email"]
                """,
            ),
            _code(
                "Welcome",
                """
                # The comment of whoever chose a buddy names them.
                buddy = results["Choose buddy"]["comment"] or "your manager"
                data["welcome"] = f"Welcome, {data['name']}! Ask {buddy} anything."
                tell(data["email"], data["welcome"])
                """,
            ),
        ),
        rows=(
            Row(sequence=10, task="Collect details"),
            Row(sequence=20, task="Sign contract"),
            Row(sequence=20, task="Set up laptop"),
            Row(sequence=20, task="Choose buddy"),
            Row(sequence=20, task="Open account"),
            Row(sequence=30, task="Welcome"),
        ),
        fields=(Field(name="name", required=True), Field(name="role", required=True)),
    ),
)

NIGHTLY_DATA_CHECK = Sample(
    description="Looks through the sales of the day, and reports what is odd. Fetching them fails at first and is tried again.",
    starters="it",
    definition=Definition(
        name="Nightly data check",
        tasks=(
            _code(
                "Fetch sales",
                """
                if "sales" not in data:
                    data["sales"] = fetch_sales()
                len(data["sales"])
                """,
                max_attempts=3,
                retry_delay=0.0,  # so that an engine that is to stop when nothing is due does not leave it behind
            ),
            _code("Find missing", """[shop for shop, amount in data["sales"].items() if amount is None]"""),
            _code("Find negative", """[shop for shop, amount in data["sales"].items() if amount and amount < 0]"""),
            _code(
                "Add up",
                """
                data["total"] = sum(amount for amount in data["sales"].values() if amount)
                data["total"]
                """,
            ),
            _code(
                "Report",
                """
                data["odd"] = sorted(results["Find missing"] + results["Find negative"])
                tell("operations", f"Look at the sales of {', '.join(data['odd'])}")
                """,
            ),
            _code("Close", """f"{len(data['sales'])} shops sold {data['total']:.2f}\""""),
        ),
        rows=(
            Row(sequence=10, task="Fetch sales"),
            Row(sequence=20, task="Find missing"),
            Row(sequence=20, task="Find negative"),
            Row(sequence=20, task="Add up"),
            Row(sequence=30, task="Report", condition='results["Find missing"] or results["Find negative"]'),
            Row(sequence=40, task="Close"),
        ),
    ),
)

SHIPPING = Sample(
    description=(
        "Sends the parcel of an order, which starts it. The warehouse has two days to pack it, and is reminded when they "
        "are over; what it rejects is not sent."
    ),
    starters="warehouse",
    definition=Definition(
        name="Shipping",
        tasks=(
            _code(
                "Take items",
                """
                data.setdefault("customer", "Grace")
                data.setdefault("items", ["desk", "lamp"])
                len(data["items"])
                """,
            ),
            _manual("Pack", "warehouse", timeout=timedelta(days=2)),
            _code("Remind warehouse", """tell("warehouse", f"{data['customer']} still waits for a parcel")"""),
            _code(
                "Send",
                """
                data["parcel"] = ship(data["customer"], data["items"])
                data["parcel"]
                """,
            ),
        ),
        rows=(
            Row(sequence=10, task="Take items"),
            Row(sequence=20, task="Pack", then=40, on_error=30),
            Row(sequence=30, task="Remind warehouse", then=20),
            Row(sequence=40, task="Send"),
        ),
    ),
)

ORDER = Sample(
    description=(
        "A customer orders. Sales approve what costs more than 500; then the card is charged, and Shipping sends the "
        "parcel. What is rejected, or can't be charged, is cancelled, and either way the customer is told."
    ),
    starters="sales",
    definition=Definition(
        name="Order",
        tasks=(
            _code(
                "Take order",
                """
                data.setdefault("customer", "Grace")
                data.setdefault("card", "4242 4242 4242 4242")
                data.setdefault("items", [{"name": "desk", "price": 420.0}, {"name": "lamp", "price": 95.5}])
                data["total"] = sum(item["price"] for item in data["items"])
                data["total"]
                """,
            ),
            _manual("Sales approval", "sales"),
            _code(
                "Charge card",
                """
                data["receipt"] = charge_card(data["card"], data["total"])
                data["receipt"]
                """,
            ),
            TaskDefinition(
                name="Ship",
                subprocess="Shipping",
                input='{"customer": data["customer"], "items": [item["name"] for item in data["items"]]}',
                output='{"parcel": data["parcel"], "status": f"on its way: {data[\'parcel\']}"} if "parcel" in data else {}',
            ),
            _code(
                "Cancel order",
                """
                # A task that failed leaves its error here; without one, somebody said no.
                reason = data["error"]["message"] if "error" in data else "it was rejected"
                data["status"] = f"cancelled: {reason}"
                """,
            ),
            _code(
                "Tell customer",
                """
                message = f"Your order is {data['status']}"
                if data.get("email"):
                    send_mail("Your order", message, data["email"])
                else:
                    tell(data["customer"], message)
                """,
            ),
        ),
        rows=(
            Row(sequence=10, task="Take order"),
            Row(sequence=20, task="Sales approval", condition='data["total"] > 500', on_reject=50),
            Row(sequence=30, task="Charge card", on_error=50),
            Row(sequence=40, task="Ship", then=60, on_reject=50, on_error=50),
            Row(sequence=50, task="Cancel order"),
            Row(sequence=60, task="Tell customer"),
        ),
        fields=(
            Field(name="customer", required=True),
            Field(name="email", label="E-mail address", help="Where the customer is told what becomes of it."),
        ),
    ),
)

SAMPLES = (EXPENSE_CLAIM, ONBOARDING, NIGHTLY_DATA_CHECK, SHIPPING, ORDER)
"""A process comes before those that start it as a sub-process."""
