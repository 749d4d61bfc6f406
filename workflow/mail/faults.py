"""What an error of sending says: that this e-mail can't be sent, or that none can."""

from smtplib import SMTPDataError, SMTPNotSupportedError, SMTPRecipientsRefused, SMTPSenderRefused

CLOSES = 421
"""A mail server's reply that it is about to close the connection, whatever it was asked."""

MAIL_SYSTEM = b"4.3."
"""How its reply begins where it means itself, such as a disk that is full (RFC 3463, "mail system status")."""

TOO_LARGE = 552
"""The one reason to refuse our sender that concerns a single e-mail: all of them have the same sender."""


def is_about_one_mail(error: OSError) -> bool:
    """Whether a mail server says this of one e-mail, so that others can be sent. Otherwise, none can."""
    match error:
        case SMTPRecipientsRefused(recipients=refused):
            return not all(_is_about_itself(*reply) for reply in refused.values())
        case SMTPSenderRefused(smtp_code=code):
            return bool(code == TOO_LARGE)
        case SMTPDataError(smtp_code=code, smtp_error=text):
            return not _is_about_itself(code, text)
    return isinstance(error, SMTPNotSupportedError)


def _is_about_itself(code: int, text: bytes | str) -> bool:
    said = text.encode(errors="replace") if isinstance(text, str) else text
    return code == CLOSES or said.startswith(MAIL_SYSTEM)
