"""Tells engines that there is work, where the database can: PostgreSQL's NOTIFY. Elsewhere they look for themselves."""

from django.db import connection

CHANNEL = "workflow_due"


def announce() -> None:
    """Have engines that listen look for work, once the transaction commits."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"NOTIFY {CHANNEL}")
