"""Working time: what 8 working hours from Friday afternoon come to, and how that was counted.

Pure: `(calendar, moment, span) -> moment`. A `Calendar` is when people work; a `Span` so many of its days, and so much of its time
besides. Time is elapsed time: where a clock is put forward during a shift, that shift is an hour shorter.

`length` and `hours` read what people write: spans, and working hours and days off. `counting` adds the one to a moment by the
other, and `words` tells how.
"""

from workflow.worktime.calendars import ALWAYS, Calendar, Week
from workflow.worktime.counting import Counted, NoWorkingTime, add
from workflow.worktime.hours import days_off, week
from workflow.worktime.length import Span, span, spans

__all__ = [
    "ALWAYS",
    "Calendar",
    "Counted",
    "NoWorkingTime",
    "Span",
    "Week",
    "add",
    "days_off",
    "span",
    "spans",
    "week",
]
