"""What differs between the versions of Django that the app works with."""

from importlib import import_module
from types import ModuleType

import django


def tasks() -> ModuleType:
    """Django's Tasks framework: its own since Django 6, before that the backport `django-tasks`. Raises `ImportError`."""
    return import_module("django.tasks" if django.VERSION >= (6, 0) else "django_tasks")
