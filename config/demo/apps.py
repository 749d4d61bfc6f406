"""The demo as a Django app, so that `manage.py demo` is found."""

from django.apps import AppConfig


class DemoConfig(AppConfig):
    name = "config.demo"
    label = "demo"
