"""Icons on a grid of 16 by 16 pixels, as outlines: they are told apart by shape, in any colour."""

from collections.abc import Mapping

_CIRCLE = "M8 1.5a6.5 6.5 0 1 1 0 13a6.5 6.5 0 1 1 0-13z"
_CROSS = "M5.5 5.5l5 5M10.5 5.5l-5 5"

PATHS: Mapping[str, str] = {
    "manual": "M8 1.5a3 3 0 1 1 0 6a3 3 0 1 1 0-6zM2 14.5c0-3.5 2.5-5 6-5s6 1.5 6 5z",
    "code": "M5 3.5L1 8l4 4.5M11 3.5L15 8l-4 4.5M9.3 2L6.7 14",
    "subprocess": "M1.5 2.5h13v11h-13zM4.5 2.5v11M11.5 2.5v11",
    "empty": "M2 2h3M8 2h3M14 2v3M14 8v3M14 14h-3M8 14H5M2 14v-3M2 8V5",
    "unknown": f"{_CIRCLE}M6 6.2c0-2.8 4-2.8 4 0c0 1.6-2 1.7-2 3.3M8 11.6v.4",
    "warning": "M8 1.5L15.2 14.5H.8zM8 6v4M8 12v.5",
    "flag": "M4 15V1.5h8.5L10 5l2.5 3.5H4",
    "timeout": "M4 1.5h8M4 14.5h8M5 1.5v3l3 3.5l3-3.5v-3M5 14.5v-3l3-3.5l3 3.5v3",
    "waiting": f"{_CIRCLE}M8 4v4.2l3 2",
    "running": f"{_CIRCLE}M6.2 5v6l5-3z",
    "done": f"{_CIRCLE}M4.8 8.2l2.3 2.4l4.2-5",
    "rejected": f"{_CIRCLE}{_CROSS}",
    "failed": f"{_CIRCLE}M8 4.5v4.3M8 11v.5",
    "skipped": "M2.5 4l4.5 4l-4.5 4M8.5 4l4.5 4l-4.5 4",
    "cancelled": f"{_CIRCLE}M3.5 12.5l9-9",
}
