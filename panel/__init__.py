"""Perennial: the panel that a domain reseller hosts. `create_app` joins its parts."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any
from urllib.parse import urlsplit

from flask import Flask
from flask_limiter import Limiter
from flask_mailman import Mail
from flask_talisman import DENY, Talisman
from flask_wtf.csrf import CSRFProtect
from limits.errors import ConfigurationError as LimitsError
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.wrappers import Response

from panel import cli
from panel.blueprints import (
    accounts,
    actions,
    cards,
    contacts,
    domains,
    error_pages,
    gateways,
    invoices,
    languages,
    log_in,
    policy,
    proformas,
    runs,
    system,
    tasks,
)
from panel.clock import Clock
from panel.config import SETTINGS, Settings, read_settings, wrong
from panel.database import Database, db, prepare_engine
from panel.failpoints import arm_from_environment
from panel.web import Parts, remote_address, request_key
from panel.worker import schedule_of

BLUEPRINTS = (
    accounts,
    actions,
    cards,
    contacts,
    domains,
    gateways,
    invoices,
    proformas,
    runs,
    system,
    tasks,
)

LARGEST_REQUEST = 2 * 1024 * 1024
# As many boxes as a page of ticks can have, and then some.
MOST_FORM_FIELDS = 6_000

HTMX_CONFIG = {
    "selfRequestsOnly": True,
    "allowEval": False,
    "allowScriptTags": False,
    "includeIndicatorStyles": False,
    # Pages hold other people's names and amounts: none of them stay in the browser's storage.
    "historyCacheSize": 0,
    "refreshOnHistoryMiss": True,
    # A refusal is a page like any other: 409 and 422 come back with the form that they are about.
    "responseHandling": [
        {"code": "204", "swap": False},
        {"code": "[23]..", "swap": True},
        {"code": "[45]..", "swap": True, "error": True},
    ],
}


def create_app(overrides: Mapping[str, Any] | None = None) -> Flask:
    """The application. `overrides` win over the environment: settings by name without the prefix
    (`{"DATABASE_URL": …}`), and Flask's own (`{"TESTING": True}`). Raises ConfigurationError."""
    given = dict(overrides or {})
    settings = read_settings(os.environ, given)
    app = Flask(__name__, static_folder=None)
    app.config.from_mapping(_flask_settings(settings))
    app.config.from_mapping({name: value for name, value in given.items() if name not in SETTINGS})
    # Only now: with the configuration in place it answers to GET and HEAD alone.
    app.static_folder = "static"
    app.add_url_rule("/static/<path:filename>", endpoint="static", view_func=app.send_static_file)
    arm_from_environment()
    _join_database(app, settings)
    _join_pages(app, settings)
    for module in BLUEPRINTS:
        app.register_blueprint(module.bp)
    cli.register(app)
    if settings.proxies:
        count = settings.proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=count, x_proto=count, x_host=count)  # type: ignore[method-assign]
    return app


def _flask_settings(settings: Settings) -> dict[str, Any]:
    return {
        "SECRET_KEY": settings.secret_key,
        "TRUSTED_HOSTS": settings.trusted_hosts,
        "PREFERRED_URL_SCHEME": "https" if settings.https else "http",
        "MAX_CONTENT_LENGTH": LARGEST_REQUEST,
        "MAX_FORM_MEMORY_SIZE": LARGEST_REQUEST,
        "MAX_FORM_PARTS": MOST_FORM_FIELDS,
        "PROVIDE_AUTOMATIC_OPTIONS": False,
        "SESSION_COOKIE_NAME": "__Host-perennial" if settings.https else "perennial",
        "SESSION_COOKIE_PATH": "/",
        "SESSION_COOKIE_SECURE": settings.https,
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "SQLALCHEMY_DATABASE_URI": settings.database_url,
        "SQLALCHEMY_ENGINE_OPTIONS": {"pool_pre_ping": True, "pool_size": 20},
        "WTF_CSRF_TIME_LIMIT": 12 * 3600,
        "RATELIMIT_STORAGE_URI": settings.limits_url,
        "SECURITY_PASSWORD_SALT": settings.derived("passwords"),
        "SECURITY_TOTP_SECRETS": _numbered(settings.encryption_keys),
        "SECURITY_MULTI_FACTOR_RECOVERY_CODES_KEYS": [key.encode() for key in settings.encryption_keys],
        "SECURITY_EMAIL_SENDER": settings.mail_from,
        **_mail_settings(settings),
    }


def _mail_settings(settings: Settings) -> dict[str, Any]:
    mail = settings.mail
    return {
        "MAIL_BACKEND": {"smtp": "smtp", "console": "console", "none": "dummy"}[mail.kind],
        "MAIL_SERVER": mail.host,
        "MAIL_PORT": mail.port,
        "MAIL_USERNAME": mail.user,
        "MAIL_PASSWORD": mail.password,
        "MAIL_USE_TLS": mail.starttls,
        "MAIL_USE_SSL": mail.tls,
        "MAIL_TIMEOUT": 20,
        "MAIL_DEFAULT_SENDER": settings.mail_from,
    }


def _numbered(keys: tuple[str, ...]) -> dict[str, str]:
    """The newest key has the highest number, and is the one that seals."""
    return {str(len(keys) - place): key for place, key in enumerate(keys)}


def _join_database(app: Flask, settings: Settings) -> None:
    db.init_app(app)
    with app.app_context():
        prepare_engine(db.engine, settings.cipher)
        database = Database(db.engine)
    app.extensions["perennial"] = Parts(
        database=database,
        clock=Clock(),
        plugins_dir=settings.plugins_dir,
        registrar_settings=settings.registrar_settings,
        base_url=settings.base_url,
        mail=asdict(settings.mail),
        mail_from=settings.mail_from,
        nudge=lambda: schedule_of(app).nudge(),
        own_name=urlsplit(settings.base_url).netloc if settings.base_url_is_set else None,
    )
    app.extensions["perennial_settings"] = settings


def _join_pages(app: Flask, settings: Settings) -> None:
    """The order matters: what is registered first sees a request first."""
    _secure_headers(app, settings)
    policy.init_app(app)
    CSRFProtect(app)
    languages.init_app(app)
    error_pages.init_app(app)
    Mail(app)
    try:
        limiter = Limiter(remote_address, app=app, headers_enabled=False)
    except (LimitsError, ImportError) as problem:
        raise wrong("LIMITS_URL", f"can't be used: {' '.join(str(problem).split())}") from problem
    # What it wraps holds it weakly.
    app.extensions["perennial_limiter"] = limiter
    log_in.init_app(app, limiter)
    # By both names: the macro of the first one says the second.
    app.jinja_env.globals["request_key"] = app.jinja_env.globals["request_key_field"] = request_key
    app.jinja_env.globals["htmx_config"] = HTMX_CONFIG
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.after_request(_never_kept)


def _secure_headers(app: Flask, settings: Settings) -> None:
    own = "'self'"
    Talisman(
        app,
        force_https=settings.https,
        strict_transport_security=settings.https,
        session_cookie_secure=settings.https,
        session_cookie_samesite="Lax",
        frame_options=DENY,
        referrer_policy="same-origin",
        content_security_policy={
            "default-src": "'none'",
            "script-src": own,
            "style-src": own,
            "img-src": [own, "data:"],
            "font-src": own,
            "connect-src": own,
            "base-uri": "'none'",
            "frame-ancestors": "'none'",
            "form-action": [own, *settings.hosted_pages],
        },
    )


def _never_kept(response: Response) -> Response:
    """Pages are made for one person, and look different to HTMX. Only files of the browser's may be kept."""
    response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
    if response.mimetype in ("text/html", "text/plain"):
        response.headers.setdefault("Cache-Control", "private, no-store")
        response.vary.add("HX-Request")
    return response
