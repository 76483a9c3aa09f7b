"""One mock processor for all tests of this folder, over real HTTP; each test finds it without faults."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import count

import pytest
import requests

from gateways.contract import ChargeRequest, ChargeResult, Context, Deadline, Mode, Money
from gateways.http import make_session
from gateways.mock.gateway import MockGateway
from gateways.mock.process import RunningProcessor, running_processor
from gateways.registrars.mock import MockRegistrar
from gateways.secret import Secret

WEBHOOK_SECRET = "whsec_a_toy"
_numbers = count(1)


@pytest.fixture(scope="session")
def shared_processor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningProcessor]:
    with running_processor(tmp_path_factory.mktemp("processor")) as processor:
        yield processor


@pytest.fixture
def processor(shared_processor: RunningProcessor) -> RunningProcessor:
    shared_processor.clear_faults()
    shared_processor.set_clock(None)
    return shared_processor


@pytest.fixture(scope="session")
def http() -> Iterator[requests.Session]:
    with make_session(20) as session:
        yield session


@pytest.fixture
def call_context(http: requests.Session) -> Callable[..., Context]:
    """A context with so many seconds left."""

    def make(seconds: float = 10.0) -> Context:
        return Context(http=http, deadline=Deadline.after(seconds), now=datetime.now(UTC))

    return make


@pytest.fixture
def gateway(processor: RunningProcessor) -> MockGateway:
    settings = {
        "base_url": processor.url,
        "api_key": Secret(processor.api_key),
        "webhook_secret": Secret(WEBHOOK_SECRET),
    }
    return MockGateway(settings, Mode.TEST, "1")


@pytest.fixture
def registrar(processor: RunningProcessor) -> MockRegistrar:
    return MockRegistrar({"base_url": processor.url, "api_key": Secret(processor.api_key)}, Mode.TEST, "1")


@pytest.fixture
def new_request() -> Callable[..., ChargeRequest]:
    """A charge request with a key, customer and instrument that no other test uses."""

    def make(
        behaviour: str = "ok", minor: int = 1200, currency: str = "EUR", **changed: object
    ) -> ChargeRequest:
        number = f"{next(_numbers)}_{datetime.now(UTC).timestamp():.6f}".replace(".", "_")
        values: dict[str, object] = {
            "idempotency_key": f"key_{number}",
            "amount": Money(minor, currency),
            "instrument_ref": f"pm_test_{behaviour}_{number}",
            "customer_ref": f"cus_{number}",
        }
        return ChargeRequest(**{**values, **changed})  # type: ignore[arg-type]

    return make


@pytest.fixture
def charge(
    gateway: MockGateway, call_context: Callable[..., Context]
) -> Callable[[ChargeRequest], ChargeResult]:
    return lambda request: gateway.charge(call_context(), request)


@pytest.fixture
def movements(processor: RunningProcessor) -> Callable[[str], list[dict[str, object]]]:
    """What the processor's own ledger has of a key."""
    return lambda key: [item for item in processor.ledger() if item["key"] == key]
