"""The app: its name is all that it registers. The engine finds its `actions.py` by itself."""

from django.apps import AppConfig


class SamplesConfig(AppConfig):
    name = "config.samples"
    label = "samples"
    verbose_name = "Sample processes"
