"""Exports: a trial's data as files to take away. `service` is what others call, `engine` writes, `store` keeps."""

from metrics.exports.service import (
    FORMATS,
    check,
    downloaded,
    estimate,
    export_again,
    export_ask,
    export_ask_checked,
    export_cancel,
    export_file,
    exports_forget,
    exports_of,
    subject_ask,
)

__all__ = [
    "FORMATS",
    "check",
    "downloaded",
    "estimate",
    "export_again",
    "export_ask",
    "export_ask_checked",
    "export_cancel",
    "export_file",
    "exports_forget",
    "exports_of",
    "subject_ask",
]
