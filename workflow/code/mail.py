"""The built-in function that sends e-mail, through Django's settings."""

from collections.abc import Sequence
from email.utils import parseaddr

from django.conf import settings
from django.core.mail import EmailMessage

from workflow import conf
from workflow.code.current import current_run

SWITCHED_OFF = "send_mail() is switched off on this site, by the setting WORKFLOW['SEND_MAIL']."


def send_mail(subject: str, message: str, recipients: str | Sequence[str]) -> int:
    """Send an e-mail of plain text to one address or several, from DEFAULT_FROM_EMAIL; returns how many were sent.

    After a crash it may be sent again, then with the same Message-ID, by which many mail programs show it once.
    Raises PermissionError where the site has switched it off.
    """
    if not conf.get("SEND_MAIL"):
        raise PermissionError(SWITCHED_OFF)
    to = [recipients] if isinstance(recipients, str) else list(recipients)
    if not to or not all("@" in address for address in to):
        raise ValueError(f"send_mail() takes the addresses of its recipients, such as 'anna@example.com', not {to}")
    domain = parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[
        2
    ]  # not this machine's: another may send it again
    headers = {"Message-ID": f"<workflow-{current_run().key}@{domain}>"}
    return EmailMessage(subject=subject, body=message, to=to, headers=headers).send()
