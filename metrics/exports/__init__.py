"""Exports: a trial's data as files to take away. `service` is what others call, `runner` writes, `store` keeps."""

from metrics.exports.deletion import exports_forget
from metrics.exports.export_request import FORMATS, check, estimate
from metrics.exports.service import (
    downloaded,
    export_again,
    export_cancel,
    export_create,
    export_create_checked,
    export_file,
    exports_of,
    subject_export_create,
)

__all__ = [
    "FORMATS",
    "check",
    "downloaded",
    "estimate",
    "export_again",
    "export_cancel",
    "export_create",
    "export_create_checked",
    "export_file",
    "exports_forget",
    "exports_of",
    "subject_export_create",
]
