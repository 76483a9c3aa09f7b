"""The reader's language and how values are written in it: locale, time zone, template filters."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from flask import Flask, g, has_request_context, request, session
from flask_babel import Babel, format_decimal, get_locale

from panel.web import day_text, instant_text, money_text, safe_next, zone_name

LANGUAGES = {"en": "English", "fr": "Français"}
FOLDER = Path(__file__).parents[1] / "translations"


def init_app(app: Flask) -> None:
    Babel(
        app,
        default_locale="en",
        default_translation_directories=str(FOLDER),
        locale_selector=chosen_locale,
        timezone_selector=zone_name,
    )
    app.jinja_env.filters |= {
        "money": money_text,
        "day": day_text,
        "instant": instant_text,
        "number": lambda value: format_decimal(value),
    }
    app.context_processor(_page_values)


def chosen_locale() -> str:
    """The user's own choice, then this browser's, then what the browser asks for."""
    if not has_request_context():
        return "en"
    # What the policy found when it loaded the user. Never asked of the database here: error pages need a language too.
    for choice in (g.get("user_locale"), session.get("locale")):
        if choice in LANGUAGES:
            return cast(str, choice)
    return request.accept_languages.best_match(LANGUAGES) or "en"


def _page_values() -> dict[str, Any]:
    return {"locale": str(get_locale() or "en"), "languages": LANGUAGES, "this_page": _this_page()}


def _this_page() -> str:
    """Where to come back to after the language was changed: a form's page can't be asked for again."""
    if request.method != "GET":
        return "/"
    return safe_next(request.full_path.rstrip("?")) or "/"
