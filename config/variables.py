"""Reads the variables of the environment, and says of a wrong one what would be right."""

import json
import os
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

SWITCH = {"on": True, "true": True, "yes": True, "1": True, "off": False, "false": False, "no": False, "0": False}


class Variables(environ.Env):
    """The environment. A variable that is set to nothing, as in .env.example, is one that is not set."""

    def __init__(self) -> None:
        super().__init__()
        self.ENVIRON = {name: value.strip() for name, value in os.environ.items() if value.strip()}

    def switch(self, name: str, *, default: bool) -> bool:
        """On or off. Raises `ImproperlyConfigured` for anything else, so that a slip does not turn off what protects."""
        text: str = self.str(name, default="")
        if not text:
            return default
        if text.lower() not in SWITCH:
            raise ImproperlyConfigured(f"{name} is {text!r}. It must be on or off.")
        return SWITCH[text.lower()]

    def choice(self, name: str, choices: tuple[str, ...], *, default: str) -> str:
        """One of the choices, in whatever case it is written. Raises `ImproperlyConfigured` for anything else."""
        text: str = self.str(name, default=default)
        if text.upper() not in choices:
            raise ImproperlyConfigured(f"{name} is {text!r}. It must be one of {', '.join(choices)}.")
        return text.upper()

    def words(self, name: str) -> list[str]:
        """What stands between commas; blanks around it do not count."""
        return [word.strip() for word in self.str(name, default="").split(",") if word.strip()]

    def object(self, name: str) -> dict[str, Any]:
        """A JSON object; `{}` by default. Raises `ImproperlyConfigured` for other text."""
        text: str = self.str(name, default="{}")
        try:
            read = json.loads(text)
        except ValueError as error:
            raise ImproperlyConfigured(f"{name} is not JSON: {error}. Write it like {_EXAMPLE}.") from error
        if not isinstance(read, dict):
            raise ImproperlyConfigured(f"{name} is {text}. It must be a JSON object, like {_EXAMPLE}.")
        return read


_EXAMPLE = '{"TIME_LIMIT": 10}'
