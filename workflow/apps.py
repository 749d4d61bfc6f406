"""The app: its name, and what it registers when Django starts."""

from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules
from django.utils.translation import gettext, ngettext, pgettext
from django.utils.translation import gettext_lazy as _

from workflow import language


class WorkflowConfig(AppConfig):
    name = "workflow"
    verbose_name = _("Workflow")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from workflow import checks, fitting, logs  # noqa: F401 - importing registers the first two
        from workflow.people.leaving import guard_users

        language.translate_by(gettext, ngettext, pgettext)
        logs.hide_tokens()
        guard_users()
        autodiscover_modules("actions")
