"""What the sample processes may do. Each only logs what a real one would do, so that trying them is safe."""

import logging
from zlib import crc32

from workflow import action, current_run

logger = logging.getLogger(__name__)


@action
def tell(who: str, message: str) -> None:
    """Sends a message to a person or a team."""
    logger.info("To %s: %s", who, message)


@action
def pay_out(recipient: str, amount: float) -> str:
    """Transfers an amount to an employee; returns the transfer's number."""
    logger.info("Paid %.2f to %s.", amount, recipient)
    return _number("T", recipient, amount)


@action
def open_account(name: str) -> str:
    """Opens an account for a new employee; returns the e-mail address."""
    address = f"{'.'.join(name.lower().split())}@example.com"
    logger.info("Opened the account %s.", address)
    return address


@action
def fetch_sales() -> dict[str, float | None]:
    """Yesterday's sales by shop, `None` where a shop sent nothing.

    Like many a source at night it is busy at first: `ConnectionError` at the first attempt.
    """
    if current_run().info.attempt == 1:
        raise ConnectionError("The cash registers are busy. Try again.")
    return {"Berlin": 1250.0, "Lisbon": 980.5, "Oslo": None, "Rome": -40.0}


@action
def charge_card(card: str, amount: float) -> str:
    """Charges a card; returns the receipt's number. `ValueError` where the bank declines: cards that end in 0002."""
    if card.endswith("0002"):
        raise ValueError("the bank declined the card")
    logger.info("Charged %.2f.", amount)
    return _number("R", card, amount)


@action
def ship(customer: str, items: list[str]) -> str:
    """Sends a parcel; returns its number."""
    logger.info("Shipped %s to %s.", ", ".join(items), customer)
    return _number("P", customer, *items)


def _number(kind: str, *of: object) -> str:
    """The same for the same things, so that a test can tell it."""
    return f"{kind}-{crc32(repr(of).encode()):08X}"
