"""Flask's test client as somebody who has logged in."""

from __future__ import annotations

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.datastructures import MultiDict
from werkzeug.test import TestResponse

from panel.demo.logins import DEMO_LOGINS
from panel.records import RoleName
from tests.panel.form_reading import fields_of


def log_in(app: Flask, role: RoleName) -> FlaskClient:
    """By the log-in page, as the demo's person of this role."""
    client = app.test_client()
    person = next(login for login in DEMO_LOGINS if login.role is role)
    form = form_of(client.get("/login"), "/login")
    form.setlist("email", [person.email])
    form.setlist("password", [person.password])
    expect(client.post("/login", data=form), 302)
    return client


def form_of(answer: TestResponse, action: str) -> MultiDict[str, str]:
    """What the form whose action ends with `action` would send."""
    return fields_of(expect(answer, 200).text, action)


def expect(answer: TestResponse, status: int) -> TestResponse:
    """RuntimeError, with the answer's beginning, for any other status: a refusal is quick and proves nothing."""
    if answer.status_code != status:
        raise RuntimeError(f"{answer.request.path} answered {answer.status}: {answer.text[:2000]}")
    return answer
