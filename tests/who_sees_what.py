"""Who may see which page: the statuses of a GET and of a POST for each role, and for whom the POST changes something.

One line for each address that `tests.world` has of the page, such as a task that waits and one that is decided. The
statuses are in the order of `ROLES`, which `200*3` stands for three of. To add a page, say here who may see it, and in
`tests.world` what a browser sends there.
"""

from collections.abc import Mapping, Sequence

# nobody, stranger, starter, approver, former, stand_in, staff, viewer, operator, owner, superuser
EXPECTED: Mapping[str, Sequence[str]] = {
    "admin:index": [
        "302*6 200*5 | 302*6 200*5 |",
    ],
    "admin:login": [
        "200*6 302*5 | 200*11 |",
    ],
    "admin:logout": [
        "302*6 405*5 | 302*11 |",
    ],
    "admin:password_change": [
        "302*6 200*5 | 302*6 200*5 |",
    ],
    "admin:autocomplete": [
        "302*6 403*5 | 302*6 405*5 |",
    ],
    "admin:jsi18n": [
        "302*6 200*5 | 302*6 405*5 |",
    ],
    "admin:view_on_site": [
        "302*6 404*5 | 302*6 404*5 |",
    ],
    "admin:workflow_absence_changelist": [
        "302*6 403*4 200 | 302*6 403*4 302 | superuser",
    ],
    "admin:workflow_absence_add": [
        "302*6 403*4 200 | 302*6 403*4 200 |",
    ],
    "admin:workflow_absence_history": [
        "302*6 403*4 200 | 302*6 403*4 200 |",
    ],
    "admin:workflow_absence_delete": [
        "302*6 403*4 200 | 302*6 403*4 302 | superuser",
    ],
    "admin:workflow_absence_change": [
        "302*6 403*4 200 | 302*6 403*4 200 |",
    ],
    "admin:admin/workflow/absence/<path:object_id>/": [
        "302*11 | 302*11 |",
    ],
    "admin:workflow_absencechange_changelist": [
        "302*6 403*4 200 | 302*6 403*4 200 |",
    ],
    "admin:workflow_absencechange_add": [
        "302*6 403*5 | 302*6 403*5 |",
    ],
    "admin:workflow_absencechange_history": [
        "302*6 403*4 200 | 302*6 403*4 200 |",
    ],
    "admin:workflow_absencechange_delete": [
        "302*6 403*5 | 302*6 403*5 |",
    ],
    "admin:workflow_absencechange_change": [
        "302*6 403*4 200 | 302*6 403*5 |",
    ],
    "admin:admin/workflow/absencechange/<path:object_id>/": [
        "302*11 | 302*11 |",
    ],
    "admin:workflow_businesscalendar_changelist": [
        "302*6 403*4 200 | 302*6 403*4 302 | superuser",
    ],
    "admin:workflow_businesscalendar_add": [
        "302*6 403*4 200 | 302*6 403*4 200 |",
    ],
    "admin:workflow_businesscalendar_history": [
        "302*6 403*4 200 | 302*6 403*4 200 |",
    ],
    "admin:workflow_businesscalendar_delete": [
        "302*6 403*4 200 | 302*6 403*4 302 | superuser",
    ],
    "admin:workflow_businesscalendar_change": [
        "302*6 403*4 200 | 302*6 403*4 200 |",
    ],
    "admin:admin/workflow/businesscalendar/<path:object_id>/": [
        "302*11 | 302*11 |",
    ],
    "admin:workflow_engine_changelist": [
        "302*6 403*4 200 | 302*6 403*4 200 |",
    ],
    "admin:workflow_engine_add": [
        "302*6 403*5 | 302*6 403*5 |",
    ],
    "admin:workflow_engine_history": [
        "302*6 403*4 200 | 302*6 403*4 200 |",
    ],
    "admin:workflow_engine_delete": [
        "302*6 403*5 | 302*6 403*5 |",
    ],
    "admin:workflow_engine_change": [
        "302*6 403*4 200 | 302*6 403*5 |",
    ],
    "admin:admin/workflow/engine/<path:object_id>/": [
        "302*11 | 302*11 |",
    ],
    "admin:workflow_runningprocesses_step_in": [
        "302*6 403*2 200 403 200 | 302*6 403*2 302 403 302 | operator superuser",
    ],
    "admin:workflow_runningprocesses_changelist": [
        "302*6 403 200*2 403 200 | 302*6 403 200*2 403 200 |",
    ],
    "admin:workflow_runningprocesses_add": [
        "302*6 403*5 | 302*6 403*5 |",
    ],
    "admin:workflow_runningprocesses_history": [
        "302*6 403 200*2 403 200 | 302*6 403 200*2 403 200 |",
    ],
    "admin:workflow_runningprocesses_delete": [
        "302*6 403*5 | 302*6 403*5 |",
    ],
    "admin:workflow_runningprocesses_change": [
        "302*6 403 200*2 403 200 | 302*6 403*5 |",
    ],
    "admin:admin/workflow/runningprocesses/<path:object_id>/": [
        "302*11 | 302*11 |",
    ],
    "admin:workflow_notice_changelist": [
        "302*6 403*4 200 | 302*6 403*4 302 |",
    ],
    "admin:workflow_notice_add": [
        "302*6 403*5 | 302*6 403*5 |",
    ],
    "admin:workflow_notice_history": [
        "302*6 403*4 200 | 302*6 403*4 200 |",
    ],
    "admin:workflow_notice_delete": [
        "302*6 403*5 | 302*6 403*5 |",
    ],
    "admin:workflow_notice_change": [
        "302*6 403*4 200 | 302*6 403*5 |",
    ],
    "admin:admin/workflow/notice/<path:object_id>/": [
        "302*11 | 302*11 |",
    ],
    "admin:workflow_mailpreference_changelist": [
        "302*6 403*4 200 | 302*6 403*4 302 | superuser",
    ],
    "admin:workflow_mailpreference_add": [
        "302*6 403*4 200 | 302*6 403*4 200 |",
    ],
    "admin:workflow_mailpreference_history": [
        "302*6 403*4 200 | 302*6 403*4 200 |",
    ],
    "admin:workflow_mailpreference_delete": [
        "302*6 403*4 200 | 302*6 403*4 302 | superuser",
    ],
    "admin:workflow_mailpreference_change": [
        "302*6 403*4 200 | 302*6 403*4 200 |",
    ],
    "admin:admin/workflow/mailpreference/<path:object_id>/": [
        "302*11 | 302*11 |",
    ],
    "admin:workflow_process_start": [
        "302*6 403*4 200 | 302*6 403*4 302 | superuser",
    ],
    "admin:workflow_process_changelist": [
        "302*6 403 200*4 | 302*6 403 200*2 302*2 | owner superuser",
    ],
    "admin:workflow_process_add": [
        "302*6 403*3 200*2 | 302*6 403*3 200*2 |",
    ],
    "admin:workflow_process_history": [
        "302*6 403 200*4 | 302*6 403 200*4 |",
    ],
    "admin:workflow_process_delete": [
        "302*6 403*3 200*2 | 302*6 403*3 302*2 | owner superuser",
    ],
    "admin:workflow_process_change": [
        "302*6 403 200*4 | 302*6 403*3 200*2 |",
    ],
    "admin:admin/workflow/process/<path:object_id>/": [
        "302*11 | 302*11 |",
    ],
    "admin:workflow_taskrun_changelist": [
        "302*6 403 200*2 403 200 | 302*6 403 200*2 403 200 |",
    ],
    "admin:workflow_taskrun_add": [
        "302*6 403*5 | 302*6 403*5 |",
    ],
    "admin:workflow_taskrun_history": [
        "302*6 403 200*2 403 200 | 302*6 403 200*2 403 200 |",
    ],
    "admin:workflow_taskrun_delete": [
        "302*6 403*5 | 302*6 403*5 |",
    ],
    "admin:workflow_taskrun_change": [
        "302*6 403 200*2 403 200 | 302*6 403*5 |",
    ],
    "admin:admin/workflow/taskrun/<path:object_id>/": [
        "302*11 | 302*11 |",
    ],
    "admin:workflow_processversion_changelist": [
        "302*6 403 200*2 403 200 | 302*6 403 200*2 403 200 |",
    ],
    "admin:workflow_processversion_add": [
        "302*6 403*5 | 302*6 403*5 |",
    ],
    "admin:workflow_processversion_history": [
        "302*6 403 200*2 403 200 | 302*6 403 200*2 403 200 |",
    ],
    "admin:workflow_processversion_delete": [
        "302*6 403*5 | 302*6 403*5 |",
    ],
    "admin:workflow_processversion_change": [
        "302*6 403 200*2 403 200 | 302*6 403*5 |",
    ],
    "admin:admin/workflow/processversion/<path:object_id>/": [
        "302*11 | 302*11 |",
    ],
    "admin:workflow_waitingforapproval_approve": [
        "302*6 403 200*2 403 200 | 302*6 403 302*2 403 302 | superuser",
    ],
    "admin:workflow_waitingforapproval_reject": [
        "302*6 403 200*2 403 200 | 302*6 403 302*2 403 302 | superuser",
    ],
    "admin:workflow_waitingforapproval_changelist": [
        "302*6 403 200*2 403 200 | 302*6 403 302*2 403 302 | superuser",
    ],
    "admin:workflow_waitingforapproval_add": [
        "302*6 403*5 | 302*6 403*5 |",
    ],
    "admin:workflow_waitingforapproval_history": [
        "302*6 403 200*2 403 200 | 302*6 403 200*2 403 200 |",
    ],
    "admin:workflow_waitingforapproval_delete": [
        "302*6 403*5 | 302*6 403*5 |",
    ],
    "admin:workflow_waitingforapproval_change": [
        "302*6 403 200*2 403 200 | 302*6 403*5 |",
    ],
    "admin:admin/workflow/waitingforapproval/<path:object_id>/": [
        "302*11 | 302*11 |",
    ],
    "admin:app_list": [
        "302*6 404 200*4 | 302*6 404 200*4 |",
    ],
    "admin:admin/(?P<url>.*)$": [
        "302*6 404*5 | 302*6 404*5 |",
    ],
    "login": [
        "200 302*10 | 200 302*10 |",
    ],
    "logout": [
        "405*11 | 302*11 |",
    ],
    "set_language": [
        "302*11 | 302*11 |",
    ],
    "workflow:inbox": [
        "302 200*10 | 302 405*10 |",
    ],
    "workflow:inbox_count": [
        "302 200*10 | 302 405*10 |",
    ],
    "workflow:decide_by_link": [
        "200 403*2 200 403*7 | 200 403*2 200 403*7 | nobody approver",
    ],
    "workflow:mail_preferences": [
        "302 200*10 | 302*11 | stranger starter approver former stand_in staff viewer operator owner superuser",
    ],
    "workflow:decide_several": [
        "302 405*10 | 302*11 | approver stand_in superuser",
    ],
    "workflow:decide": [
        "302 404 200*4 404 200*2 404 200 | 302 404 403 302 403 302 404 403*2 404 302 | approver stand_in superuser",
        "302 404 200*4 404 200*2 404 200 | 302 404 409*4 404 409*2 404 409 |",
    ],
    "workflow:claim": [
        "302 405*10 | 302 404 403 302 403 302 404 403*2 404 302 | approver stand_in superuser",
        "302 405*10 | 302 404 409*4 404 409*2 404 409 |",
    ],
    "workflow:release": [
        "302 405*10 | 302 404 409*4 404 409*2 404 409 |",
        "302 405*10 | 302 404 409*4 404 409*2 404 409 |",
    ],
    "workflow:delegate": [
        "302 405*10 | 302 404 403 302 403 302 404 403*2 404 302 | approver stand_in superuser",
        "302 405*10 | 302 404 409*4 404 409*2 404 409 |",
    ],
    "workflow:start": [
        "302 200*10 | 302 405*10 |",
    ],
    "workflow:start_process": [
        "302 404 200 404*5 200 404 200 | 302 404 302 404*5 302 404 302 | starter operator superuser",
    ],
    "workflow:mine": [
        "302 200*10 | 302 405*10 |",
    ],
    "workflow:instance": [
        "302 404 200*4 404 200*2 404 200 | 302 405*10 |",
        "302 404 200*3 404*2 200*2 404 200 | 302 405*10 |",
    ],
    "workflow:instance_news": [
        "302 404 200*4 404 200*2 404 200 | 302 405*10 |",
        "302 404 286*3 404*2 286*2 404 286 | 302 405*10 |",
    ],
    "workflow:instance_earlier": [
        "302 404 200*4 404 200*2 404 200 | 302 405*10 |",
        "302 404 200*3 404*2 200*2 404 200 | 302 405*10 |",
    ],
    "workflow:instance_children": [
        "302 404 200*4 404 200*2 404 200 | 302 405*10 |",
        "302 404 200*3 404*2 200*2 404 200 | 302 405*10 |",
    ],
    "workflow:people": [
        "302 403 200*2 403 200 403*2 200 403 200 | 302 405*10 |",
    ],
    "workflow:file": [
        "302 404 200*4 404 200*2 404 200 | 302 405*10 |",
    ],
}
