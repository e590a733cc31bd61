"""What the pages share: errors of files in place, workbooks as downloads, the moving bar."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any, BinaryIO

from flask import Response, render_template, request, send_file
from werkzeug.datastructures import FileStorage

from sdm.kernel.errors import InvalidInput, SdmError
from sdm.kernel.i18n import _, error_text
from sdm.kernel.web import FormErrors, errors_of, is_partial, see_other

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def uploads(name: str) -> list[tuple[str, bytes]]:
    """(name, content) of the files of a form field; empty ones are left out."""
    found: list[FileStorage] = request.files.getlist(name)
    return [(file.filename or "file", file.read()) for file in found if file.filename]


def errors_in_place(problem: SdmError) -> FormErrors:
    """All faults of a refused file above the form, since none of its fields is to blame."""
    errors = FormErrors()
    if isinstance(problem, InvalidInput):
        found = errors_of(problem)
        errors["_schema"] = [sentence for sentences in found.values() for sentence in sentences]
    else:
        errors["_schema"] = [error_text(problem)]
    return errors


def workbook(name: str, write: Callable[[BinaryIO], Any]) -> Response:
    """A workbook as a download."""
    target = BytesIO()
    write(target)
    target.seek(0)
    return send_file(target, XLSX, as_attachment=True, download_name=f"{name}.xlsx")


def progress(endpoint: str, run_id: int, done: int, total: int, step: str) -> Any:
    """The next part of the moving bar, or the whole page when all is done or scripts are off."""
    if done >= total or not is_partial():
        return see_other(endpoint, id=run_id)
    return render_template("intake/_bar.html", done=done, total=total, step=step, text=step_text(done, total))


def step_text(done: int, total: int) -> str:
    """How far it is."""
    return _("%(done)s of %(total)s done", done=f"{done:,}", total=f"{total:,}")
