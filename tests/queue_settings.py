"""The tests' settings, with RQ as the task queue that drives: TEST_QUEUE is its name, on the Redis of TEST_QUEUE_URL."""

import os

from tests.settings import *  # noqa: F403
from tests.settings import DATABASES, INSTALLED_APPS

QUEUE = os.environ["TEST_QUEUE"]

INSTALLED_APPS = [*INSTALLED_APPS, "django_rq", "django_tasks_rq"]
TIMEOUT = int(os.environ.get("TEST_QUEUE_TIMEOUT", "300"))  # seconds
RQ_QUEUES = {QUEUE: {"URL": os.environ["TEST_QUEUE_URL"], "DEFAULT_TIMEOUT": TIMEOUT}}
TASKS = {"default": {"BACKEND": "django_tasks_rq.RQBackend", "QUEUES": [QUEUE]}}
WORKFLOW = {"DISPATCH": "tasks", "TASK_QUEUE": QUEUE}

# Workers are done before the test's database goes, so that theirs may last, as a project's do.
DATABASES["default"]["CONN_MAX_AGE"] = 60
