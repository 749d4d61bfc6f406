"""Files that come with forms: how they are kept, and who may read them."""

import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from typing import Any

from django.core.files.base import File
from django.core.files.storage import Storage
from django.db import transaction
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
FOLDER = "workflow"
"""Of the storage: where `Upload.file` keeps what is ours."""
IN_PROGRESS = timedelta(days=1)
"""A file that has come with a form is on the storage before its row is there, and both are before what it came with."""
CHUNK = 500
"""Names a statement: below what any database binds."""


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


def discard(uploads: Iterable[Upload]) -> None:
    """Delete those of these that no instance has taken: what they came with was refused."""
    for upload in uploads:
        _delete_unless_taken(upload)


@dataclass(frozen=True, kw_only=True)
class Swept:
    """What a sweep has deleted, or would delete: uploads that no instance has taken, and files that no upload refers to.
    `missing` counts uploads whose files are gone, of which it deletes none.
    """

    uploads: int = 0
    files: int = 0
    missing: int = 0


def sweep(*, dry_run: bool = False) -> Swept:
    """Delete what a process that died has left behind between keeping a file and the decision or start that it came with.

    It leaves alone what is younger than `IN_PROGRESS`. A storage that can't list its files keeps those without a row.
    """
    before = clock.now() - IN_PROGRESS
    orphans = Upload.objects.filter(instance=None, uploaded_at__lt=before).order_by("pk")
    uploads = orphans.count() if dry_run else sum(_delete_unless_taken(one) for one in orphans.iterator(CHUNK))
    unknown, known = _files(before)
    if not dry_run:
        for name in unknown:
            _storage().delete(name)
    missing = 0 if known is None else max(0, Upload.objects.filter(uploaded_at__lt=before).count() - known)
    return Swept(uploads=uploads, files=len(unknown), missing=missing)


def _delete_unless_taken(upload: Upload) -> bool:
    with transaction.atomic():
        found = Upload.objects.select_for_update().filter(pk=upload.pk, instance=None).first()
        if found is None:
            return False
        found.delete()
        transaction.on_commit(partial(found.file.delete, save=False), robust=True)
    return True


def _files(before: datetime) -> tuple[list[str], int | None]:
    """The files of our folder that no upload refers to, and how many older ones one does; of both only what was written
    before that. `None` where the storage can't tell.
    """
    unknown: list[str] = []
    known = 0
    try:
        for names in _chunks(_names(FOLDER)):
            rows = dict(Upload.objects.filter(file__in=names).values_list("file", "uploaded_at"))
            known += sum(uploaded_at < before for uploaded_at in rows.values())
            unknown += [name for name in names if name not in rows and _storage().get_modified_time(name) < before]
    except NotImplementedError:
        return [], None
    return unknown, known


def _names(folder: str) -> Iterator[str]:
    try:
        folders, files = _storage().listdir(folder)
    except FileNotFoundError:
        return
    yield from (f"{folder}/{name}" for name in files)
    for name in folders:
        yield from _names(f"{folder}/{name}")


def _chunks(names: Iterable[str]) -> Iterator[list[str]]:
    left = iter(names)
    while chunk := list(islice(left, CHUNK)):
        yield chunk


def _storage() -> Storage:
    storage: Storage = Upload._meta.get_field("file").storage
    return storage


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
