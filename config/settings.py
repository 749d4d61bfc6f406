"""The site's settings, all from the environment; `.env.example` says what each variable means."""

import os
from datetime import timedelta
from pathlib import Path

import environ
from django.core.exceptions import ImproperlyConfigured

from config.database import database_settings
from config.mail import mail_settings
from config.variables import Variables

BASE_DIR = Path(__file__).resolve().parent.parent

if env_file := os.environ.get("ENV_FILE", ".env"):
    environ.Env.read_env(BASE_DIR / env_file)

env = Variables()

DEBUG = env.switch("DEBUG", default=False)
HTTPS = env.switch("HTTPS", default=not DEBUG)


SHORTEST_KEY = 32
"""Characters of a key that nobody guesses."""


def _secret_key() -> str:
    key: str = env.str("SECRET_KEY", default="")
    if key and (DEBUG or len(key) >= SHORTEST_KEY):
        return key
    if key:
        raise ImproperlyConfigured(
            f"SECRET_KEY has {len(key)} characters, and needs {SHORTEST_KEY} or more: log-ins and links in e-mails are only as "
            "safe as it is. `python3 -c 'import secrets; print(secrets.token_urlsafe(50))'` makes one."
        )
    if DEBUG:
        return "django-insecure-development-key-of-nobody-in-particular"
    raise ImproperlyConfigured(
        "SECRET_KEY is not set. Set it in the environment or in .env to a long random text, which "
        "`python3 -c 'import secrets; print(secrets.token_urlsafe(50))'` makes; or set DEBUG=on to develop without one."
    )


DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
SECRET_KEY = _secret_key()
SECRET_KEY_FALLBACKS = env.words("SECRET_KEY_FALLBACKS")
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS")
CSRF_TRUSTED_ORIGINS = env.words("CSRF_TRUSTED_ORIGINS")

INSTALLED_APPS = [
    "workflow",
    "config.demo",
    *(["config.samples"] if env.switch("SAMPLES", default=DEBUG) else []),
    *env.words("APPS"),
    "axes",
    "django_ace",
    "django_htmx",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "config.csp.content_security_policy",
    "config.permissions.permissions_policy",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "workflow.middleware.local_times",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"

DATABASES = {"default": database_settings(env.str("DATABASE_URL", default="sqlite:///db.sqlite3"), base=BASE_DIR)}

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
# Whoever fails that often to log in as somebody, from one address, waits. It is kept in the database, which all processes
# of the site share. By the name alone, anybody could keep others out; by the address alone, one of an office all of it.
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_USERNAME_FORM_FIELD = "username"  # of both forms to log in, whatever the users' model calls it
AXES_RESET_ON_SUCCESS = True
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_DISABLE_ACCESS_LOG = True  # one row for each log-in, for ever
AXES_SENSITIVE_PARAMETERS = ["next"]  # besides the password
AXES_LOCKOUT_CALLABLE = "config.logins.locked_out"
AXES_USERNAME_CALLABLE = "config.logins.username"
AXES_CLIENT_IP_CALLABLE = "config.logins.client_ip"
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "workflow:inbox"
LOGOUT_REDIRECT_URL = "login"

USE_TZ = True
TIME_ZONE = env.str("TIME_ZONE", default="UTC")
# What a reader's browser asks for, or what they chose; else, and for what is written down by engines, LANGUAGE_CODE.
LANGUAGE_CODE = env.str("LANGUAGE_CODE", default="en")
LANGUAGES = [("en", "English"), ("de", "Deutsch")]
LANGUAGE_COOKIE_AGE = 31_536_000  # seconds: a year
LANGUAGE_COOKIE_SAMESITE = "Lax"
LANGUAGE_COOKIE_SECURE = HTTPS
LOCALE_PATHS = [BASE_DIR / "config" / "locale"]

# Static files are served by the site itself, straight from the apps: there is no collectstatic to forget.
STATIC_URL = "static/"
WHITENOISE_USE_FINDERS = True

# What people send with forms. No address leads here: whether somebody may read a file is asked at each download.
MEDIA_ROOT = env.str("MEDIA_ROOT", default=str(BASE_DIR / "media"))

# The page on which a process is defined has some forty fields for each task with its row; Django's 1,000 are full at 25 tasks.
DATA_UPLOAD_MAX_NUMBER_FIELDS = 20_000

globals().update(mail_settings(env.str("EMAIL_URL", default="consolemail://")))
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="workflow@localhost")
SERVER_EMAIL = DEFAULT_FROM_EMAIL

SECURE_SSL_REDIRECT = HTTPS
SESSION_COOKIE_SECURE = HTTPS
CSRF_COOKIE_SECURE = HTTPS
SECURE_HSTS_SECONDS = env.int("HSTS_SECONDS", default=31_536_000 if HTTPS else 0)
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
# Browsers keep preloaded sites on HTTPS for years, even after they leave the list, so it is opt-in.
SECURE_HSTS_PRELOAD = HTTPS and env.switch("HSTS_PRELOAD", default=False)
SILENCED_SYSTEM_CHECKS = ["security.W021"]  # it wants that preload
BEHIND_PROXY = env.switch("BEHIND_PROXY", default=False)
if BEHIND_PROXY:
    # Only a proxy that sets this header itself makes it true; otherwise anybody could send it.
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

WORKFLOW = env.object("WORKFLOW")
if site_url := env.str("SITE_URL", default=""):
    WORKFLOW.setdefault("SITE_URL", site_url)

LOG_LEVEL = env.choice("LOG_LEVEL", ("DEBUG", "INFO", "WARNING", "ERROR"), default="INFO")
LOG_FORMAT = env.choice("LOG_FORMAT", ("LOGFMT", "JSON"), default="LOGFMT")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"()": {"LOGFMT": "workflow.logs.Logfmt", "JSON": "workflow.logs.Json"}[LOG_FORMAT]}},
    "handlers": {"console": {"class": "workflow.logs.Console", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
    "loggers": {
        "workflow": {"level": LOG_LEVEL},
        "config": {"level": LOG_LEVEL},
        # runserver's line for each request
        "django.server": {"level": "INFO" if DEBUG else "WARNING"},
    },
}
