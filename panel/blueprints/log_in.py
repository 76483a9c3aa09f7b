"""Logging in and out, by Flask-Security: its settings, its words, and limits on guessing."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from typing import Any

from flask import Flask, current_app, request, session
from flask_limiter import Limiter
from flask_login import user_logged_out
from flask_mailman import EmailMessage
from flask_security import LoginForm, MailUtil, Security, SQLAlchemyUserDatastore, user_authenticated

from panel.blueprints.languages import FOLDER
from panel.database import db
from panel.errors import N_
from panel.records import Role, User
from panel.web import remote_address

IDLE_FOR = timedelta(hours=8)
# A password, a mailed link or a code of six digits is guessed by trying: so many tries, by whom.
LIMITS = {
    "security.login": "10 per minute; 100 per day",
    "security.forgot_password": "5 per hour",
    "security.reset_password": "20 per hour",
    "security.two_factor_token_validation": "10 per 5 minutes; 50 per day",
    "security.mf_recovery": "10 per 5 minutes; 50 per day",
    "security.verify": "10 per minute",
    "security.change_password": "10 per minute",
}
# One address may try many names; an office behind one address is still let in.
LIMIT_FOR_ADDRESS = "60 per minute; 1000 per day"

MESSAGES = {
    "ANONYMOUS_USER_REQUIRED": (N_("You are logged in already."), "info"),
    "API_ERROR": (N_("The form was damaged on its way; open the page again."), "error"),
    "EMAIL_NOT_PROVIDED": (N_("Enter your e-mail address."), "error"),
    "GENERIC_AUTHN_FAILED": (N_("E-mail address and password don't match, or may not log in."), "error"),
    "GENERIC_RECOVERY": (
        N_("If this address may log in here, a mail with a link is on its way to it."),
        "success",
    ),
    "INVALID_CODE": (
        N_("This code isn't right. Codes are good for half a minute: enter the present one."),
        "error",
    ),
    "INVALID_EMAIL_ADDRESS": (N_("This is not an e-mail address."), "error"),
    "INVALID_PASSWORD": (N_("This is not your password."), "error"),
    "INVALID_RECOVERY_CODE": (N_("This recovery code isn't right, or was used before."), "error"),
    "INVALID_REDIRECT": (N_("After logging in you can only go on to a page of this panel."), "error"),
    "INVALID_RESET_PASSWORD_TOKEN": (N_("This link isn't good any more. Ask for a new one."), "error"),
    "NO_RECOVERY_CODES_SETUP": (N_("There are no recovery codes yet."), "info"),
    "PASSWORD_CHANGE": (N_("Your password was changed, and every other log-in of yours ended."), "success"),
    "PASSWORD_INVALID_LENGTH": (N_("A password has at least %(length)s characters."), "error"),
    "PASSWORD_IS_THE_SAME": (N_("This is the password you have now. Choose another."), "error"),
    "PASSWORD_NOT_PROVIDED": (N_("Enter a password."), "error"),
    "PASSWORD_RESET_EXPIRED": (N_("This link was good for %(within)s. Ask for a new one."), "error"),
    "PASSWORD_RESET_REQUEST": (
        N_("If this address may log in here, a mail with a link is on its way to it."),
        "success",
    ),
    "PASSWORD_RESET_NO_LOGIN": (N_("Your password was changed. Log in with it now."), "success"),
    "REAUTHENTICATION_REQUIRED": (N_("Enter your password once more to go on."), "info"),
    "REAUTHENTICATION_SUCCESSFUL": (N_("Thank you. You can go on."), "success"),
    "REFRESH": (N_("Enter your password once more to go on."), "info"),
    "RETYPE_PASSWORD_MISMATCH": (N_("The two passwords differ."), "error"),
    "TWO_FACTOR_CHANGE_METHOD_SUCCESSFUL": (N_("Two-step log-in is on."), "success"),
    "TWO_FACTOR_DISABLED": (N_("Two-step log-in is off."), "success"),
    "TWO_FACTOR_INVALID_TOKEN": (
        N_("This code isn't right. Codes are good for half a minute: enter the present one."),
        "error",
    ),
    "TWO_FACTOR_LOGIN_SUCCESSFUL": (N_("You are logged in."), "success"),
    "TWO_FACTOR_METHOD_NOT_AVAILABLE": (N_("Choose one of the ways offered."), "error"),
    "TWO_FACTOR_PERMISSION_DENIED": (N_("Log in with your password first."), "error"),
    "TWO_FACTOR_SETUP_EXPIRED": (N_("This took longer than %(within)s. Please begin again."), "error"),
    "UNAUTHENTICATED": (N_("Please log in."), "info"),
    "USER_DOES_NOT_EXIST": (N_("E-mail address and password don't match, or may not log in."), "error"),
}
SUBJECTS = {
    "EMAIL_SUBJECT_PASSWORD_RESET": N_("Choose a new password"),
    "EMAIL_SUBJECT_PASSWORD_NOTICE": N_("Your password was changed"),
    "EMAIL_SUBJECT_PASSWORD_CHANGE_NOTICE": N_("Your password was changed"),
}
SETTINGS: dict[str, Any] = {
    "SECURITY_API_ENABLED_METHODS": ["session"],
    "SECURITY_CACHE_CONTROL": None,  # create_app says it for every page
    "SECURITY_CHANGEABLE": True,
    "SECURITY_EMAIL_HTML": False,
    # Asking the DNS about whatever address is typed would be slow, and a service for strangers.
    "SECURITY_EMAIL_VALIDATOR_ARGS": {"check_deliverability": False},
    "SECURITY_FRESHNESS": timedelta(hours=1),
    "SECURITY_FRESHNESS_GRACE_PERIOD": timedelta(minutes=10),
    "SECURITY_I18N_DIRNAME": [str(FOLDER)],
    "SECURITY_I18N_DOMAIN": "messages",
    "SECURITY_MULTI_FACTOR_RECOVERY_CODES": True,
    "SECURITY_PASSWORD_HASH": "argon2",
    "SECURITY_PASSWORD_LENGTH_MIN": 10,
    "SECURITY_PASSWORD_SCHEMES": ["argon2"],
    # argon2 salts by itself. A second secret would make every password worthless when the key changes.
    "SECURITY_PASSWORD_SINGLE_HASH": ["argon2"],
    "SECURITY_POST_LOGOUT_VIEW": "/login",
    "SECURITY_RECOVERABLE": True,
    "SECURITY_RESET_PASSWORD_WITHIN": timedelta(hours=2),
    "SECURITY_RETURN_GENERIC_RESPONSES": True,
    "SECURITY_STATIC_FOLDER": None,
    "SECURITY_TOTP_ISSUER": "Perennial",
    "SECURITY_TWO_FACTOR": True,
    "SECURITY_TWO_FACTOR_ENABLED_METHODS": ["authenticator"],
    "SECURITY_TWO_FACTOR_POST_SETUP_VIEW": "/",
    "SECURITY_TWO_FACTOR_RESCUE_EMAIL": False,
    # Every log-in asks for the code: no cookie may stand in for it.
    "SECURITY_TWO_FACTOR_ALWAYS_VALIDATE": True,
}

_log = logging.getLogger("panel.log_in")


class LogInForm(LoginForm):
    """Without "remember me": who logs in here can spend other people's money."""

    remember = None


class BackgroundMail(MailUtil):
    """Sends after the answer: waiting for the mail server would tell known addresses from unknown ones."""

    def __init__(self, app: Flask) -> None:
        super().__init__(app)
        self._sending = ThreadPoolExecutor(max_workers=1, thread_name_prefix="log-in-mail")

    def send_mail(
        self,
        template: str,
        subject: str,
        recipient: str | tuple[str, str],
        sender: str | tuple[str, str],
        body: str | None,
        html: str | None,
        **_context: Any,
    ) -> None:
        app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
        message = EmailMessage(str(subject), body=body, from_email=str(sender), to=[recipient])
        self._sending.submit(_send, app, message).add_done_callback(_report)


def init_app(app: Flask, limiter: Limiter) -> None:
    """The settings that hold secrets (keys for codes) are in the app's configuration already."""
    subjects = {f"SECURITY_{name}": text for name, text in SUBJECTS.items()}
    messages = {f"SECURITY_MSG_{name}": message for name, message in MESSAGES.items()}
    for name, value in (SETTINGS | subjects | messages).items():
        app.config.setdefault(name, value)
    app.config["PERMANENT_SESSION_LIFETIME"] = IDLE_FOR
    security = Security(
        app, SQLAlchemyUserDatastore(db, User, Role), login_form=LogInForm, mail_util_cls=BackgroundMail
    )
    # Pages and session cookies alone: a token that was handed out would get in beside both.
    security.want_json(lambda _request: False)
    app.login_manager.request_loader(lambda _request: None)  # type: ignore[attr-defined]
    user_authenticated.connect(_begin_session, app)
    user_logged_out.connect(_end_sessions, app)
    _limit(app, limiter)


def _limit(app: Flask, limiter: Limiter) -> None:
    for endpoint, limits in LIMITS.items():
        by_name = limiter.limit(limits, key_func=_address_and_name, methods=["POST"])
        by_address = limiter.limit(LIMIT_FOR_ADDRESS, key_func=remote_address, methods=["POST"])
        view: Callable[..., Any] = app.view_functions[endpoint]
        app.view_functions[endpoint] = by_address(by_name(view))


def _address_and_name() -> str:
    return f"{remote_address()} {request.form.get('email', '').strip().lower()[:255]}"


def _begin_session(app: Flask, **_signal: Any) -> None:
    # What an attacker may have planted before the log-in is worth nothing after it.
    session.pop("csrf_token", None)
    session.permanent = True


def _end_sessions(app: Flask, user: User, **_signal: Any) -> None:
    """A copied cookie must die with the log-out, so all sessions of the user end."""
    datastore = app.extensions["security"].datastore
    datastore.set_uniquifier(user)
    datastore.commit()


def _send(app: Flask, message: EmailMessage) -> None:
    with app.app_context():
        message.send()


def _report(sending: Future[None]) -> None:
    problem = sending.exception()
    if problem is not None:
        _log.error("a mail about a log-in could not be sent: %s", problem)
