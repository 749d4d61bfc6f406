"""What the app needs of a project's settings, and little more."""

from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent

SECRET_KEY = "django-insecure-example-of-a-key-that-nobody-may-use-on-a-site"
DEBUG = True

INSTALLED_APPS = [
    "leave",
    "workflow",
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
    "django.contrib.sessions.middleware.SessionMiddleware",
    "workflow.middleware.local_times",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
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

ROOT_URLCONF = "leave.urls"
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "workflow:inbox"
STATIC_URL = "static/"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
# The page of a process has some forty fields for each task.
DATA_UPLOAD_MAX_NUMBER_FIELDS = 20_000

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": BASE_DIR / "db.sqlite3",
        # Else writers fail instead of waiting for each other.
        "OPTIONS": {"transaction_mode": "IMMEDIATE"},
    }
}

WORKFLOW = {"SITE_URL": "http://localhost:8000", "MAIL": False}
