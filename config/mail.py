"""Django's mail settings from one URL: `MAILERS` where Django has it (6.1), the `EMAIL_…` settings elsewhere."""

from typing import Any

import django
import environ

# What django-environ calls it, and the option of the backends of django.core.mail.
OPTIONS = {
    "EMAIL_HOST": "host",
    "EMAIL_PORT": "port",
    "EMAIL_HOST_USER": "username",
    "EMAIL_HOST_PASSWORD": "password",
    "EMAIL_USE_TLS": "use_tls",
    "EMAIL_USE_SSL": "use_ssl",
    "EMAIL_TIMEOUT": "timeout",
    "EMAIL_FILE_PATH": "file_path",
}

SMTP = "django.core.mail.backends.smtp.EmailBackend"
TIMEOUT = 30
"""Seconds. Django's own default is to wait for a server that says nothing until it does."""


def mail_settings(url: str) -> dict[str, Any]:
    """Settings that send mail to where `url` says, such as `smtp+tls://user:password@mail.example.com:587`.

    Raises `ImproperlyConfigured` for a URL of another kind.
    """
    read = environ.Env.email_url_config(url)
    given = {name: value for name, value in read.items() if value and name in OPTIONS}
    if read["EMAIL_BACKEND"] == SMTP:
        given["EMAIL_TIMEOUT"] = TIMEOUT
    if django.VERSION < (6, 1):
        return {"EMAIL_BACKEND": read["EMAIL_BACKEND"], **given}
    options = {OPTIONS[name]: value for name, value in given.items()}
    return {"MAILERS": {"default": {"BACKEND": read["EMAIL_BACKEND"], "OPTIONS": options}}}
