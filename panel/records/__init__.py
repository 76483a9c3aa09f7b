"""Tables and constraints, by noun. Rules live elsewhere."""

from panel.records.accounts import Account, Contact, ContactKind, Role, RoleName, User
from panel.records.cards import (
    CARD_TRANSITIONS,
    Card,
    CardRegistration,
    CardStatus,
    GatewayAccount,
    GatewayMode,
    RegistrationState,
)
from panel.records.charges import (
    ATTEMPT_TRANSITIONS,
    EXTENSION_TRANSITIONS,
    IN_DOUBT,
    OPEN_STATUSES,
    Attempt,
    AttemptStatus,
    Effect,
    Extension,
    ExtensionStatus,
)
from panel.records.documents import (
    PROFORMA_TRANSITIONS,
    Invoice,
    InvoiceLine,
    LineKind,
    ManualPayment,
    ManualReason,
    PaymentMethod,
    Proforma,
    ProformaLine,
    ProformaStatus,
    Series,
    SeriesKind,
    Term,
)
from panel.records.domains import (
    DOMAIN_TRANSITIONS,
    Action,
    ActionKind,
    Consent,
    ConsentKind,
    Domain,
    DomainStatus,
    PriceKind,
    Recurrence,
    RecurrenceState,
    SuspensionCause,
    Tld,
    TldPrice,
)
from panel.records.operations import (
    JournalEntry,
    JournalSeal,
    Message,
    MessageStatus,
    Run,
    RunPhase,
    RunStatus,
    Seller,
    StaffTask,
    TaskKind,
)

__all__ = [name for name in dir() if name[0].isupper()]
