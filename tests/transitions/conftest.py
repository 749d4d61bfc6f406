"""These tests run beside bystanders."""

from tests.beside import *  # noqa: F403
