"""What waits for a person; closed with a note, or with the expiry date that the registry shows now."""

from __future__ import annotations

from flask import Blueprint, flash, request
from flask_babel import gettext as _
from flask_wtf import FlaskForm
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from panel.blueprints import list_query, task_text
from panel.blueprints.form_errors import attach
from panel.blueprints.task_form import NoteForm, WorklistForm
from panel.errors import NotThere, Refused
from panel.records import StaffTask, TaskKind
from panel.renewals.extension import worklist_done
from panel.renewals.task_list import page_of_tasks, waiting_counts
from panel.renewals.task_resolution import resolve as resolve_task
from panel.renewals.task_resolution import subject_id
from panel.web import clock, database, explain, page_number, redirect, render_page, user

bp = Blueprint("tasks", __name__)

Answer = str | Response | tuple[str, int]


@bp.get("/tasks")
def tasks() -> Answer:
    return _list_page()


@bp.post("/tasks/<int:task_id>/resolve")
def resolve(task_id: int) -> Answer:
    with database().read() as session:
        form = _form_for(_task_or_404(session, task_id))
    if not form.validate_on_submit():
        return _list_page(task_id=task_id, form=form, status=422)
    try:
        with database().write() as session:
            _resolve(session, _task_or_404(session, task_id), form)
    except Refused as refused:
        attach(form, refused)
        # Somebody else may have closed it meanwhile, and then the list shows no form for it.
        return _list_page(task_id=task_id, form=form, problem=explain(refused), status=refused.status)
    flash(_("The task is done."), "success")
    return redirect("tasks.tasks", kind=list_query.one_of("kind", TaskKind))


def _form_for(task: StaffTask) -> FlaskForm:
    # Several of them are on one page: ids of fields carry the task's.
    form: type[FlaskForm] = WorklistForm if task.kind is TaskKind.REGISTRAR_WORKLIST else NoteForm
    return form(prefix=f"task-{task.id}-")


def _resolve(session: Session, task: StaffTask, form: FlaskForm) -> None:
    if isinstance(form, WorklistForm):
        worklist_done(
            session,
            extension_id=subject_id(task),
            new_expiry=form.new_expiry.data,
            user_id=user().id,
            now=clock().now(),
        )
    else:
        resolve_task(session, task_id=task.id, note=form.note.data, user_id=user().id, now=clock().now())


def _task_or_404(session: Session, task_id: int) -> StaffTask:
    found = session.get(StaffTask, task_id)
    if found is None:
        raise NotThere
    return found


def _list_page(
    *,
    task_id: int | None = None,
    form: FlaskForm | None = None,
    problem: str | None = None,
    status: int = 200,
) -> Answer:
    """`form` is the one that was sent for `task_id`, with its errors; that task is shown first."""
    waiting = request.args.get("show") != "done"
    kind = list_query.one_of("kind", TaskKind)
    with database().read() as session:
        listing = page_of_tasks(session, waiting=waiting, kind=kind, page=page_number(), first=task_id)
        forms = {
            row.task.id: form if form is not None and row.task.id == task_id else _form_for(row.task)
            for row in listing.rows
            if row.task.resolved_at is None and row.task.kind not in task_text.CLOSES_BY_ITSELF
        }
        return render_page(
            "tasks/tasks.html",
            partial="tasks/_list.html",
            status=status,
            listing=listing,
            waiting=waiting,
            kind=kind,
            counts=waiting_counts(session),
            query=list_query.kept("kind", "show"),
            forms=forms,
            problem=problem,
            now=clock().now(),
            words=task_text,
        )
