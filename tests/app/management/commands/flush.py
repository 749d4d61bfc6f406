"""Django's `flush`, as a test that commits calls it at its end: quick, where nearly all tables have few rows or none."""

from typing import Any

from django.core.management.commands import flush
from django.db import connections, transaction

KEPT = {"django_migrations", "django_content_type", "auth_permission"}
"""What Django itself fills: after each flush it would do so anew, by a hundred queries."""


class Command(flush.Command):
    """PostgreSQL makes new files for each table and each index that it truncates."""

    def handle(self, **options: Any) -> None:
        connection = connections[options["database"]]
        tables = sorted({*connection.introspection.django_table_names(only_existing=True, include_views=False)} - KEPT)
        with connection.constraint_checks_disabled(), transaction.atomic(), connection.cursor() as cursor:
            for table in tables:
                cursor.execute(f"DELETE FROM {connection.ops.quote_name(table)}")
