"""A project unlike the demo: users with UUIDs for keys and e-mail to log in with, an admin of its own, each request a
transaction, another time zone. `pytest --ds=tests.settings_uuid` runs what is about people on it.
"""

from tests.settings import *  # noqa: F403
from tests.settings import DATABASES, INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.uuid_users"]
AUTH_USER_MODEL = "uuid_users.Member"
ROOT_URLCONF = "tests.uuid_users.urls"
TIME_ZONE = "Asia/Kolkata"
DATABASES["default"]["ATOMIC_REQUESTS"] = True
