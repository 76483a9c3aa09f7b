"""Renewal runs: listed, followed while they run, looked into afterwards; and what tomorrow's will charge."""

from __future__ import annotations

from flask import Blueprint
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from panel.blueprints import document_text, list_query, payment_text, run_text
from panel.clock import real_now
from panel.errors import NotThere
from panel.records import Run, RunStatus
from panel.renewals.forecast import forecast as forecast_lines
from panel.renewals.forecast_page import Show, page_of_forecast, total_of
from panel.renewals.run_list import Outcome, outcome_counts, page_of_outcomes, page_of_runs, row_of
from panel.web import clock, database, is_htmx, page_number, processors, redirect, render_page

bp = Blueprint("runs", __name__)

Answer = str | Response | tuple[str, int] | tuple[str, int, dict[str, str]]

MOST_DAYS = 60


@bp.get("/runs")
def runs() -> Answer:
    with database().read() as session:
        listing = page_of_runs(session, real_now=real_now(), page=page_number())
        return render_page("runs/runs.html", partial="runs/_list.html", listing=listing, words=run_text)


@bp.get("/runs/<int:run_id>")
def run(run_id: int) -> Answer:
    outcome = list_query.one_of("outcome", Outcome)
    with database().read() as session:
        stored = _run_or_404(session, run_id)
        return render_page(
            "runs/run.html",
            partial="runs/_outcomes.html",
            row=row_of(stored, real_now=real_now()),
            run=stored,
            outcome=outcome,
            outcomes=outcome_counts(session, run_id),
            listing=page_of_outcomes(session, run_id, outcome=outcome, page=page_number()),
            query=list_query.kept("outcome"),
            words=run_text,
            payment=payment_text,
            text=document_text,
        )


@bp.get("/runs/<int:run_id>/progress")
def progress(run_id: int) -> Answer:
    with database().read() as session:
        stored = _run_or_404(session, run_id)
        if not is_htmx():
            return redirect("runs.run", run_id=run_id)
        if stored.status is not RunStatus.RUNNING:
            # What it did is all over the page, so the whole page is shown anew.
            return "", 200, {"HX-Refresh": "true"}
        return render_page(
            "runs/_progress.html", row=row_of(stored, real_now=real_now()), run=stored, words=run_text
        )


@bp.get("/forecast")
def forecast() -> Answer:
    days = list_query.number("days", default=1, least=1, most=MOST_DAYS)
    show = list_query.one_of("show", Show)
    with database().read() as session:
        lines = forecast_lines(session, processors=processors(), now=clock().now(), days=days)
        found = page_of_forecast(lines, show=show, page=page_number())
    return render_page(
        "runs/forecast.html",
        partial="runs/_forecast.html",
        days=days,
        most_days=MOST_DAYS,
        show=show,
        found=found,
        query={"days": days, "show": show} if show else {"days": days},
        total_of=total_of,
        words=run_text,
    )


def _run_or_404(session: Session, run_id: int) -> Run:
    found = session.get(Run, run_id)
    if found is None:
        raise NotThere
    return found
