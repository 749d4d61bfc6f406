"""The admin: definitions are edited here, instances are looked at and acted on. It calls operations, and shows."""

from workflow.admin.absences import AbsenceAdmin, AbsenceChangeAdmin
from workflow.admin.calendars import BusinessCalendarAdmin
from workflow.admin.engines import EngineAdmin
from workflow.admin.instances import RunningProcessesAdmin
from workflow.admin.notices import MailPreferenceAdmin, NoticeAdmin
from workflow.admin.processes import ProcessAdmin
from workflow.admin.runs import TaskRunAdmin
from workflow.admin.users import TellsWhatWaits
from workflow.admin.versions import ProcessVersionAdmin
from workflow.admin.waiting import WaitingForApprovalAdmin

__all__ = [
    "AbsenceAdmin",
    "AbsenceChangeAdmin",
    "BusinessCalendarAdmin",
    "EngineAdmin",
    "MailPreferenceAdmin",
    "NoticeAdmin",
    "ProcessAdmin",
    "ProcessVersionAdmin",
    "RunningProcessesAdmin",
    "TaskRunAdmin",
    "TellsWhatWaits",
    "WaitingForApprovalAdmin",
]
