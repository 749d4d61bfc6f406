"""What an instance is about: any object of the project."""

from dataclasses import dataclass
from typing import Any

from django.contrib.contenttypes.models import ContentType
from django.utils.translation import gettext as _

from workflow.models import RunningProcesses
from workflow.views.rows import subject_label


@dataclass(frozen=True, kw_only=True)
class Subject:
    """Its name, and the address of its own page, which asks itself who may see it; blank where it has none."""

    text: str
    address: str = ""


def subject(instance: RunningProcesses) -> Subject | None:
    """What the instance is about, by one query; `None` where it is about nothing."""
    if instance.subject_type_id is None:
        return None
    model = ContentType.objects.get_for_id(instance.subject_type_id).model_class()
    label = subject_label(instance)
    if model is None:  # its app is no longer installed
        return Subject(text=label)
    found: Any = model._base_manager.filter(pk=instance.subject_id).first()
    if found is None:
        return Subject(text=_("%(subject)s, which was deleted") % {"subject": label})
    page = getattr(found, "get_absolute_url", None)
    return Subject(text=str(found), address=page() if page else "")
