"""Files that come with forms: how they are kept, and who may read them."""

import secrets
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.core.files.base import File
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from workflow import clock, conf
from workflow.definition import Field, Kind
from workflow.errors import BadData
from workflow.models import RunningProcesses, Upload
from workflow.people.visible import may_see, sees_all

LONGEST_NAME = 255
LONGEST_ENDING = 40
"""Characters of the name that are to be seen in the storage, too."""


def keep_upload(file: "File[Any]", *, by: Any) -> Upload:
    """Keep a file that a user sent, through Django's default storage. Raises `BadData` where it is too large.

    It belongs to no instance, and nobody else may read it, until a form that refers to it is accepted.
    """
    size, limit = file.size, conf.get("MAX_UPLOAD_BYTES")
    if size > limit:
        raise BadData(_("The file has %(size)d bytes; up to %(limit)d can be sent.") % {"size": size, "limit": limit})
    name = _plain(file.name or "")
    upload = Upload(name=name, size=size, uploaded_by=by, uploaded_at=clock.now())
    upload.file.save(_place_of(name), file, save=False)
    upload.save(force_insert=True)
    return upload


def _place_of(name: str) -> str:
    """What the file of that name is called in the storage, where no other ever was: after a restore, a row may tell of a file that
    was lost, and must not find another in its place.
    """
    return f"{secrets.token_hex(16)}-{name[-LONGEST_ENDING:]}"


def _plain(name: str) -> str:
    """The name without folders, and without what can't be printed."""
    last = name.replace("\\", "/").rpartition("/")[2]
    return "".join(filter(str.isprintable, last)).strip(". ")[-LONGEST_NAME:] or "file"


def attach(form: Sequence[Field], answers: Mapping[str, Any], instance: RunningProcesses, *, by: Any) -> None:
    """Give the files among the answers, if they are from that user, to the instance: with it they are read and deleted."""
    keys = [
        answer["upload"]
        for field in form
        if field.kind is Kind.FILE and isinstance(answer := answers.get(field.name), Mapping) and "upload" in answer
    ]
    if keys:
        Upload.objects.filter(pk__in=keys, instance=None, uploaded_by=by).update(instance=instance)


def may_read(user: Any, upload: Upload) -> bool:
    """Whether the user may read the file: who sent it, and who may look at an instance whose data refers to it, or at all."""
    if not user.is_active:
        return False
    if upload.uploaded_by_id == user.pk or sees_all(user):
        return True
    return any(may_see(user, instance) for instance in _referring(upload))


def _referring(upload: Upload) -> Iterator[RunningProcesses]:
    """The instance that the file was sent for, and those above and below it that have its reference from there."""
    if upload.instance is None:
        return
    yield upload.instance
    ahead = [upload.instance]
    while ahead:
        near = [one for instance in ahead for one in _children(instance) if _holds(one.data, upload.pk)]
        yield from near
        ahead = near
    above = _parent(upload.instance)
    while above is not None and _holds(above.data, upload.pk):
        yield above
        above = _parent(above)


def _children(instance: RunningProcesses) -> QuerySet[RunningProcesses]:
    return RunningProcesses.objects.filter(parent__run__instance=instance)


def _parent(instance: RunningProcesses) -> RunningProcesses | None:
    return instance.parent.run.instance if instance.parent else None


def _holds(data: Any, key: int) -> bool:
    """Whether a reference to the file is anywhere in the data."""
    match data:
        case {"upload": found} if found == key:
            return True
        case dict():
            return any(_holds(value, key) for value in data.values())
        case list():
            return any(_holds(value, key) for value in data)
    return False
