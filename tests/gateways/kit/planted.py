"""Gateways that are wrong in one respect each, with the check that must say so."""

import json
import logging
import secrets
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from gateways.contract import (
    Capabilities,
    CardStatus,
    ChargeResult,
    CurrencyRule,
    Deadline,
    Decline,
    DeclineKind,
    EventKind,
    Gateway,
    GatewayEvent,
    Instrument,
    LookupAnswer,
    Money,
    RefundStatus,
    RegistrationStatus,
    Status,
    WebhookResult,
    WebhookVerdict,
)
from gateways.mock import signing
from gateways.mock.gateway import MockGateway
from gateways.secret import Secret
from gateways.testing.bench import Nonconforming
from gateways.testing.conformance import Conformance
from gateways.testing.fakes.mock import conformance as mock
from tests.gateways.kit.kestrel import Kestrel
from tests.gateways.kit.kestrel import conformance as kestrel


@dataclass(frozen=True)
class Planted:
    """`gateway` is wrong; the check `caught_by` must fail, and passes for the gateway it was made of."""

    gateway: type[Gateway]
    caught_by: str
    whole: Conformance
    crashes_with: type[Exception] = Nonconforming
    """What the gateway itself raises, where that is the fault."""

    @property
    def broken(self) -> Conformance:
        return replace(self.whole, gateway=self.gateway)


PLANTED: list[Planted] = []


def caught_by(
    check: str, crashes_with: type[Exception] = Nonconforming
) -> Callable[[type[Gateway]], type[Gateway]]:
    def plant(gateway: type[Gateway]) -> type[Gateway]:
        whole = mock if issubclass(gateway, MockGateway) else kestrel
        PLANTED.append(Planted(gateway, check, whole, crashes_with))
        return gateway

    return plant


class Through:
    """The session of a context, with something done to each request on its way."""

    def __init__(self, http: Any, change: Callable[[str, str, dict[str, Any]], None]) -> None:
        self._http = http
        self._change = change

    def request(self, method: str, url: str, **given: Any) -> Any:
        self._change(method, url, given)
        return self._http.request(method, url, **given)


def through(ctx, change):
    return replace(ctx, http=Through(ctx.http, change))


def declined(kind=DeclineKind.RETRYABLE, code="guessed"):
    return ChargeResult(status=Status.DECLINED, decline=Decline(kind=kind, code=code))


# ---- loading


@caught_by("loading.it_says_who_it_is")
class HasNoUsableId(MockGateway):
    id = "Mock Pay!"


@caught_by("loading.flags_and_methods_agree")
class SaysThatItCannotCancel(MockGateway):
    capabilities = replace(MockGateway.capabilities, cancel=False)


@caught_by("loading.making_an_instance_does_no_io")
class AsksAtConstruction(MockGateway):
    def __init__(self, *given):
        super().__init__(*given)
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", 1), 0.1)


@caught_by("loading.a_key_of_the_other_mode_is_refused")
class TakesATestKeyForLive(Kestrel):
    def __init__(self, settings, mode, account_id):
        Gateway.__init__(self, settings, mode, account_id)


@caught_by("loading.wrong_settings_are_a_problem_and_no_crash")
class ChecksSettingsByTheirFormOnly(MockGateway):
    check_settings = Gateway.check_settings


# ---- money


@caught_by("money.no_decimals_on_the_wire_and_back")
class SendsYenInHundredths(MockGateway):
    """And reads them so: its own answers look right."""

    def charge(self, ctx, request):
        if request.amount.exponent:
            return super().charge(ctx, request)
        sent = super().charge(ctx, replace(request, amount=request.amount * 100))
        return replace(sent, amount=request.amount) if sent.amount is not None else sent


@caught_by("money.three_decimals_on_the_wire_and_back")
class KnowsOnlyTwoDecimals(Kestrel):
    def _written(self, amount):
        return {"value": f"{amount.minor / 100:.2f}", "currency": amount.currency}


@caught_by("money.an_amount_out_of_bounds_is_refused_before_any_request")
class LetsTheProcessorJudgeAmounts(MockGateway):
    class Anything(Capabilities):
        def amount_problem(self, amount):
            return None

    capabilities = Anything(**vars(MockGateway.capabilities))


@caught_by("money.an_amount_off_the_step_is_refused_before_any_request")
class RoundsToTheStep(MockGateway):
    def charge(self, ctx, request):
        step = self.capabilities.currencies.get(request.amount.currency, CurrencyRule()).step_minor
        rounded = Money(request.amount.minor // step * step, request.amount.currency)
        return super().charge(ctx, replace(request, amount=rounded))


@caught_by("money.another_amount_is_unknown")
class BelievesThatItGotWhatItAskedFor(MockGateway):
    def charge(self, ctx, request):
        result = super().charge(ctx, request)
        if result.status is Status.UNKNOWN and result.ref is not None:
            return replace(result, status=Status.SUCCEEDED, amount=request.amount)
        return result


# ---- outcomes


@caught_by("outcomes.dead_cards_are_hard")
class TriesLostCardsAgain(MockGateway):
    def charge(self, ctx, request):
        result = super().charge(ctx, request)
        if result.decline is not None and result.decline.kind is DeclineKind.HARD:
            return replace(result, decline=replace(result.decline, kind=DeclineKind.RETRYABLE))
        return result


@caught_by("outcomes.the_issuers_advice_overrides_the_code")
class IgnoresTheIssuersAdvice(MockGateway):
    def charge(self, ctx, request):
        result = super().charge(ctx, request)
        if result.decline is not None and result.decline.code == "do_not_honor":
            return replace(result, decline=replace(result.decline, kind=DeclineKind.RETRYABLE))
        return result


@caught_by("outcomes.an_unheard_of_code_is_retryable")
class StopsAtCodesItDoesNotKnow(Kestrel):
    def _decline(self, row, status):
        decline = super()._decline(row, status)
        known = decline is None or row["refusal"] != "quantum_flux"
        return decline if known else replace(decline, kind=DeclineKind.HARD)


@caught_by("outcomes.our_own_faults_are_the_merchants")
class BlamesTheCustomerForOurContract(MockGateway):
    def charge(self, ctx, request):
        result = super().charge(ctx, request)
        if result.decline is not None and result.decline.kind is DeclineKind.MERCHANT:
            return declined(DeclineKind.HARD)
        return result


@caught_by("outcomes.authentication_as_an_error_is_action_required")
class TakesAuthenticationForADecline(MockGateway):
    def charge(self, ctx, request):
        result = super().charge(ctx, request)
        return declined() if result.status is Status.ACTION_REQUIRED else result


@caught_by("outcomes.authentication_as_a_200_is_action_required")
class TakesEvery200ForASuccess(Kestrel):
    def _result(self, row):
        return super()._result({**row, "status": "paid"} if row["status"] == "waiting" else row)


@caught_by("outcomes.a_slow_payment_is_pending_until_it_is_known")
class CountsDirectDebitsAsPaid(Kestrel):
    def _result(self, row):
        return super()._result({**row, "status": "paid"} if row["status"] == "processing" else row)


# ---- idempotency


@caught_by("idempotency.the_key_is_unchanged_on_repetitions")
class ChangesTheKeyOnRetry(MockGateway):
    def charge(self, ctx, request):
        result = super().charge(ctx, request)
        if result.status is not Status.UNKNOWN:
            return result
        again = f"{request.idempotency_key}-{secrets.token_hex(4)}"
        return super().charge(ctx, replace(request, idempotency_key=again))


@caught_by("idempotency.the_same_key_moves_money_once")
class SendsNoKey(Kestrel):
    def _call(self, ctx, method, path, *, key=None, **given):
        return super()._call(ctx, method, path, **given)


@caught_by("idempotency.different_charges_have_different_keys")
class TakesTheCustomerForTheKey(Kestrel):
    def charge(self, ctx, request):
        return super().charge(ctx, replace(request, idempotency_key=request.customer_ref))


@caught_by("idempotency.two_requests_at_once_move_money_once")
class TakesAConflictForADecline(MockGateway):
    def charge(self, ctx, request):
        result = super().charge(ctx, request)
        return declined() if "409" in result.message else result


@caught_by("idempotency.a_key_with_another_amount_never_succeeds")
class TakesAReusedKeyForADecline(MockGateway):
    def charge(self, ctx, request):
        result = super().charge(ctx, request)
        return declined(DeclineKind.MERCHANT) if "key_reused" in result.message else result


@caught_by("idempotency.the_declared_window_is_the_processors")
class HopesThatKeysLastAWeek(MockGateway):
    capabilities = replace(MockGateway.capabilities, idempotency_window_s=7 * 86_400)


# ---- ambiguity


@caught_by("ambiguity.a_timeout_is_unknown")
class TakesATimeoutForADecline(MockGateway):
    def charge(self, ctx, request):
        result = super().charge(ctx, request)
        return declined() if "no answer in time" in result.message else result


@caught_by("ambiguity.a_server_error_is_unknown")
class TakesAServerErrorForNothingDone(MockGateway):
    def charge(self, ctx, request):
        result = super().charge(ctx, request)
        return replace(result, status=Status.NOT_SUBMITTED) if "500" in result.message else result


@caught_by("ambiguity.a_page_instead_of_an_answer_is_unknown")
class TakesAPageForADecline(MockGateway):
    def charge(self, ctx, request):
        result = super().charge(ctx, request)
        return declined() if "502" in result.message else result


@caught_by("ambiguity.too_many_requests_is_not_a_decline")
class TakesBeingBusyForADecline(MockGateway):
    def charge(self, ctx, request):
        result = super().charge(ctx, request)
        return declined() if "429" in result.message else result


@caught_by("ambiguity.refused_credentials_are_not_the_cards_fault")
class BlamesTheCardForOurKey(MockGateway):
    def charge(self, ctx, request):
        result = super().charge(ctx, request)
        refused = result.decline is not None and result.decline.code == "invalid_api_key"
        return declined(DeclineKind.HARD, "invalid_api_key") if refused else result


@caught_by("ambiguity.a_refused_connection_is_not_submitted")
class NeverKnowsThatNothingLeft(MockGateway):
    def charge(self, ctx, request):
        result = super().charge(ctx, request)
        return replace(result, status=Status.UNKNOWN) if result.status is Status.NOT_SUBMITTED else result


@caught_by("ambiguity.a_slow_answer_ends_at_the_deadline")
class BringsItsOwnTimeLimit(MockGateway):
    def charge(self, ctx, request):
        return super().charge(replace(ctx, deadline=Deadline.after(2.0)), request)


@caught_by("ambiguity.a_redirect_is_not_followed")
class FollowsRedirects(MockGateway):
    def charge(self, ctx, request):
        return super().charge(through(ctx, lambda *call: call[2].update(allow_redirects=True)), request)


@caught_by("ambiguity.the_reference_is_kept_before_money_moves")
class ForgetsTheCheckpoint(Kestrel):
    def _keep(self, ctx, key, ref):
        pass


@caught_by("ambiguity.the_reference_is_kept_before_money_moves")
class KeepsTheReferenceWhenItIsTooLate(Kestrel):
    def charge(self, ctx, request):
        kept = []
        result = super().charge(replace(ctx, checkpoint=lambda key, ref: kept.append((key, ref))), request)
        for key, ref in kept:
            ctx.checkpoint(key, ref)
        return result


@caught_by("ambiguity.a_crash_at_the_checkpoint_moves_nothing")
class GoesOnWithoutADurableReference(Kestrel):
    def _keep(self, ctx, key, ref):
        with suppress(BaseException):
            ctx.checkpoint(key, ref)


# ---- lookups


@caught_by("lookups.a_look_up_only_reads")
class LooksUpByCharging(MockGateway):
    def find_charge(self, ctx, key, customer_ref, since):
        path = self.settings["base_url"] + "/v1/charges/search"
        with suppress(Exception):
            ctx.http.post(path, json={"reference": key}, timeout=1)
        return super().find_charge(ctx, key, customer_ref, since)


@caught_by("lookups.a_look_up_that_fails_cannot_tell")
class TakesAFailedLookUpForANo(MockGateway):
    def find_charge(self, ctx, key, customer_ref, since):
        found = super().find_charge(ctx, key, customer_ref, since)
        return replace(found, answer=LookupAnswer.NO) if found.answer is LookupAnswer.CANNOT_TELL else found


@caught_by("lookups.a_charge_is_found_among_many")
class ReadsOnlyTheFirstPage(Kestrel):
    def _payments_of(self, ctx, customer):
        return self._object(self._call(ctx, "GET", f"/customers/{customer}/payments"))["payments"]


@caught_by("lookups.the_list_is_whole")
class ListsOnlyTheFirstPage(MockGateway):
    def list_charges(self, *given):
        return replace(super().list_charges(*given), next_cursor=None)


@caught_by("lookups.a_charge_that_lands_late_is_found")
class RemembersANo(MockGateway):
    answers: dict[str, Any] = {}

    def find_charge(self, ctx, key, customer_ref, since):
        if key not in self.answers:
            self.answers[key] = super().find_charge(ctx, key, customer_ref, since)
        return self.answers[key]


# ---- registration and instruments


@caught_by("registration.an_abandoned_page_stays_pending")
class BelievesTheReturnAddress(MockGateway):
    def get_registration(self, ctx, ref):
        result = super().get_registration(ctx, ref)
        if result.status is not RegistrationStatus.PENDING:
            return result
        card = Instrument(ref="pm_guessed", customer_ref=result.customer_ref, status=CardStatus.VALIDATED)
        return replace(result, status=RegistrationStatus.VALIDATED, instrument=card)


@caught_by("registration.started_twice_it_is_one_registration")
class BeginsAnewEachTime(MockGateway):
    def start_registration(self, ctx, request):
        return super().start_registration(ctx, replace(request, key=secrets.token_hex(8)))


@caught_by("registration.a_second_card_belongs_to_the_same_customer")
class ForgetsWhoseCardItIs(MockGateway):
    def start_registration(self, ctx, request):
        return super().start_registration(ctx, replace(request, customer_ref=None))


@caught_by("instruments.a_forgotten_instrument_is_not_charged")
class ForgetsOnlyOnOurSide(MockGateway):
    def forget_instrument(self, ctx, ref):
        self.get_instrument(ctx, ref)


@caught_by("instruments.an_outage_revokes_no_card")
class RevokesWhatItCannotRead(MockGateway):
    def get_instrument(self, ctx, ref):
        try:
            return super().get_instrument(ctx, ref)
        except Exception:
            return Instrument(ref=ref, customer_ref=None, status=CardStatus.REVOKED)


# ---- refunds


@caught_by("refunds.an_over_refund_is_refused")
class AcceptsAnOverRefund(MockGateway):
    def refund(self, ctx, request):
        result = super().refund(ctx, request)
        if result.code == "refund_exceeds_charge":
            return replace(result, status=RefundStatus.SUCCEEDED, ref="re_guessed")
        return result


@caught_by("refunds.the_same_key_refunds_once")
class RefundsUnderANewKey(MockGateway):
    def refund(self, ctx, request):
        return super().refund(ctx, replace(request, idempotency_key=secrets.token_hex(8)))


@caught_by("refunds.a_lost_answer_is_unknown_and_settled_once")
class TakesALostRefundForRefused(MockGateway):
    def refund(self, ctx, request):
        result = super().refund(ctx, request)
        return (
            replace(result, status=RefundStatus.REFUSED) if result.status is RefundStatus.UNKNOWN else result
        )


@caught_by("refunds.a_refund_that_fails_later_is_read_as_refused")
class BelievesInAcceptedRefunds(Kestrel):
    def _refunded(self, row):
        return super()._refunded({**row, "status": "done"})


# ---- webhooks


@caught_by("webhooks.an_altered_byte_is_refused")
class ComparesNoSignature(MockGateway):
    def parse_webhook(self, request):
        if not request.header(signing.HEADER):
            return super().parse_webhook(request)
        return super().parse_webhook(signed_anew(self, request, request.now))


@caught_by("webhooks.a_signature_from_the_future_is_refused")
class AcceptsTheFuture(MockGateway):
    def parse_webhook(self, request):
        return super().parse_webhook(replace(request, now=max(request.now, signed_at(request))))


@caught_by("webhooks.an_old_signature_is_refused")
class AcceptsThePast(MockGateway):
    def parse_webhook(self, request):
        return super().parse_webhook(replace(request, now=min(request.now, signed_at(request))))


@caught_by("webhooks.without_a_secret_nothing_is_accepted")
class VerifiesWithAnEmptySecret(MockGateway):
    def parse_webhook(self, request):
        if self.settings.get("webhook_secret"):
            return super().parse_webhook(request)
        now = int(request.now.timestamp())
        wrong = signing.complaint(request.header(signing.HEADER), request.body, Secret(""), now)
        return WebhookResult(verdict=WebhookVerdict.REJECTED if wrong else WebhookVerdict.ACCEPTED)


@caught_by("webhooks.header_names_come_in_any_case")
class KnowsOneSpellingOfItsHeader(MockGateway):
    def parse_webhook(self, request):
        exact = {name: value for name, value in request.headers.items() if name == signing.HEADER}
        return super().parse_webhook(replace(request, headers=exact))


@caught_by("webhooks.either_secret_of_a_rotation_is_enough")
class LooksAtTheFirstSignatureOnly(MockGateway):
    def parse_webhook(self, request):
        first_two = ",".join(request.header(signing.HEADER).split(",")[:2])
        return super().parse_webhook(replace(request, headers={signing.HEADER: first_two}))


@caught_by("webhooks.a_body_that_makes_no_sense_is_refused", crashes_with=UnicodeDecodeError)
class CrashesOnWhatIsNotUtf8(MockGateway):
    def parse_webhook(self, request):
        json.loads(request.body.decode())
        return super().parse_webhook(request)


@caught_by("webhooks.ids_that_look_like_paths_are_refused")
class PassesOnAnyId(Kestrel):
    def _heard(self, body):
        heard = super()._heard(body)
        if heard.reason != "not an id":
            return heard
        event = GatewayEvent(kind=EventKind.CHARGE, ref=json.loads(body)["id"], event_id="evt_1")
        return WebhookResult(verdict=WebhookVerdict.ACCEPTED, events=(event,))


@caught_by("webhooks.an_event_of_the_other_mode_is_refused")
class SettlesTestEventsInLiveMode(Kestrel):
    def _heard(self, body):
        with suppress(ValueError, TypeError, AttributeError):
            body = json.dumps({**json.loads(body), "live": False}).encode()
        return super()._heard(body)


@caught_by("webhooks.it_reaches_for_nothing_outside")
class FetchesWhileItParses(MockGateway):
    def parse_webhook(self, request):
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", 1), 0.1)
        return super().parse_webhook(request)


@caught_by("webhooks.a_duplicate_has_the_same_event_id")
class NumbersDeliveriesItself(MockGateway):
    def parse_webhook(self, request):
        heard = super().parse_webhook(request)
        events = tuple(replace(event, event_id=secrets.token_hex(8)) for event in heard.events)
        return replace(heard, events=events)


# ---- secrets and accounts


@caught_by("secrets.they_are_not_in_what_the_gateway_prints")
class PrintsItsKey(MockGateway):
    def __repr__(self):
        return f"<MockGateway {self.settings['api_key'].reveal()}>"


@caught_by("secrets.they_are_not_in_what_the_gateway_prints")
class KeepsItsKeyAsText(MockGateway):
    def __init__(self, *given):
        super().__init__(*given)
        self.authorisation = f"Bearer {self.settings['api_key'].reveal()}"


@caught_by("secrets.they_are_not_in_results_and_errors")
class QuotesItsKeyInMessages(MockGateway):
    def charge(self, ctx, request):
        result = super().charge(ctx, request)
        key = self.settings["api_key"].reveal()
        return replace(result, message=f"{result.message} (key {key})") if result.message else result


@caught_by("secrets.they_are_not_in_debug_logs")
class LogsItsHeaders(MockGateway):
    def charge(self, ctx, request):
        def log(method, url, given):
            logging.getLogger("acme.http").debug("%s %s %s", method, url, given["headers"])

        return super().charge(through(ctx, log), request)


@caught_by("secrets.they_are_not_in_addresses")
class SendsItsKeyInTheAddress(MockGateway):
    def charge(self, ctx, request):
        def put(method, url, given):
            given["params"] = {"key": self.settings["api_key"].reveal()}

        return super().charge(through(ctx, put), request)


@caught_by("secrets.the_webhook_secret_is_not_sent")
class SendsItsWebhookSecret(MockGateway):
    def charge(self, ctx, request):
        secret = self.settings["webhook_secret"].reveal()
        return super().charge(ctx, replace(request, metadata={"hook": secret}))


@caught_by("accounts.two_accounts_interleaved_keep_their_keys_apart")
class KeepsTheKeyOnTheClass(MockGateway):
    key: Any = None

    def __init__(self, *given):
        super().__init__(*given)
        type(self).key = self.settings.get("api_key")

    def charge(self, ctx, request):
        self.settings["api_key"] = type(self).key
        return super().charge(ctx, request)


@caught_by("accounts.many_threads_share_one_instance")
class KeepsTheRequestOnTheInstance(MockGateway):
    def charge(self, ctx, request):
        self.request = request
        result = super().charge(ctx, request)
        if result.amount == self.request.amount:
            return result
        return ChargeResult(status=Status.UNKNOWN, message="another amount was shown")


def signed_at(request):
    stamp = request.header(signing.HEADER).partition(",")[0].removeprefix("t=")
    return datetime.fromtimestamp(int(stamp), UTC) if stamp.isdecimal() else request.now


def signed_anew(gateway, request, at):
    secret = gateway.settings["webhook_secret"]
    return replace(
        request, headers={signing.HEADER: signing.sign(request.body, (secret,), int(at.timestamp()))}
    )
