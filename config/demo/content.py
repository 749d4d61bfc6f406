"""What there is to see in the demo: the sample processes, and a few instances of each."""

from typing import Any

from django.contrib.auth import get_user_model
from django.db import transaction

from config.demo import people
from config.samples import load
from workflow import operations

# Per process: who starts it, and with what. One that is not named is started once, by the superuser.
STARTS: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "Expense claim": [
        ("anna", {"amount": 180, "purpose": "Train to Lisbon"}),
        ("anna", {"amount": 45, "purpose": "Lunch with a customer"}),
    ],
    "Onboarding": [("hanna", {"name": "Ada Lovelace", "role": "Analyst"})],
    "Order": [
        ("shop", {"customer": "Grace"}),
        ("shop", {"customer": "Linus", "card": "4000 0000 0000 0002", "items": [{"name": "lamp", "price": 95.5}]}),
        ("shop", {"customer": "Ada", "items": [{"name": "chair", "price": 180.0}], "email": "ada@demo.example"}),
    ],
    "Shipping": [],  # an order starts it
}


def create() -> list[str]:
    """Log-ins, samples and instances, all or none; returns the names of the processes."""
    with transaction.atomic():
        names = load.load()
        people.create()
        for name in names:
            _start(name)
    return names


def _start(name: str) -> None:
    users = get_user_model().objects
    for starter, data in STARTS.get(name, [("admin", {})]):
        operations.start(name, data, user=users.get(username=starter))
