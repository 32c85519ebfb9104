"""The control surface: set the scene, act as the bookkeeper, break things, and read everything."""

from dataclasses import asdict
from datetime import UTC, datetime

from consumer.sandbox.xero.bookkeeper import Bookkeeper
from consumer.sandbox.xero.faults import Fault
from consumer.sandbox.xero.identity import App, Consent, Role
from consumer.sandbox.xero.ledger import Ledger
from consumer.sandbox.xero.limits import Limits
from consumer.sandbox.xero.representation import (
    View,
    allocation_json,
    contact_json,
    credit_note_json,
    invoice_json,
    payment_json,
)
from consumer.sandbox.xero.scopes import COMMON_SCOPES, GRANULAR_SCOPES
from consumer.sandbox.xero.settings_representation import account_json, organisation_json, tax_rate_json
from consumer.sandbox.xero.values import Json

_FULL = View(unit_places=4)


class Control(Bookkeeper):
    """Everything that a test or the demo may do to the simulator, besides calling its API.

    May be called from any thread, and over HTTP as ``POST /simulator/<method>``: arguments and results are JSON there.
    """

    # Tenants and apps

    def demo_tenant(
        self,
        name: str,
        tenant_id: str | None = None,
        base_currency: str = "GBP",
        limits: Limits | None = None,
    ) -> str:
        """Set up an organisation with a British chart of accounts; answers its tenant id.

        Accounts: 090 bank, 092 clearing (payments enabled), 200 210 220 230 260 270 revenue, 240 archived revenue.
        Tax rates: OUTPUT2 20 %, RROUTPUT 5 %, ZERORATEDOUTPUT, EXEMPTOUTPUT, INPUT2 (purchases only), NONE.
        """
        with self._world.lock:
            return self._world.add_tenant(name, tenant_id, base_currency, limits)

    def tenants(self) -> list[Json]:
        """All organisations: tenant_id, name, whether anyone has connected it."""
        with self._world.lock:
            connected = {row.tenant_id for row in self._world.identity.connections.values()}
            return [
                {
                    "tenant_id": tenant_id,
                    "name": ledger.organisation.name,
                    "connected": tenant_id in connected,
                }
                for tenant_id, ledger in self._world.ledgers.items()
            ]

    def register_app(self, client_id: str, client_secret: str | None = None, *, broad_scopes: bool = False) -> None:
        """Register another app. Without a secret it must use PKCE; broad scopes are for apps of before March 2026."""
        with self._world.lock:
            self._world.identity.apps[client_id] = App(client_id, client_secret, broad_scopes)

    def set_currencies(self, tenant_id: str, currencies: list[str]) -> None:
        """Subscribe an organisation to these currencies besides its base currency."""
        with self._books(tenant_id) as ledger:
            base = ledger.organisation.base_currency
            ledger.set_organisation(currencies=frozenset({base, *currencies}))

    def set_approvals_per_month(self, tenant_id: str, limit: int | None) -> None:
        """Cap the invoices that may be approved in a month, as Xero's smallest plan does; `None` for no cap."""
        with self._books(tenant_id) as ledger:
            ledger.set_organisation(approvals_per_month=limit)

    def show_payment_references(self, tenant_id: str, *, shown: bool = True) -> None:
        """Whether documents list their payments with references; without, only ``GET /Payments`` tells them."""
        with self._books(tenant_id) as ledger:
            ledger.set_organisation(shows_payment_references=shown)

    def set_limits(
        self,
        tenant_id: str,
        per_minute: int | None = None,
        per_day: int | None = None,
        concurrent: int | None = None,
    ) -> None:
        """Change a tenant's rate limits; 0 switches one off, `None` leaves it."""
        with self._books(tenant_id):
            old = self._world.limiter.usage[tenant_id].limits
            limits = Limits(
                per_minute=old.per_minute if per_minute is None else per_minute,
                per_day=old.per_day if per_day is None else per_day,
                concurrent=old.concurrent if concurrent is None else concurrent,
            )
            self._world.limiter.set_limits(tenant_id, limits)

    def set_app_limit(self, per_minute: int) -> None:
        """Change the limit of one app over all tenants; 0 switches it off."""
        with self._world.lock:
            self._world.limiter.app_per_minute = per_minute

    def reset_limits(self) -> None:
        """Empty all windows, as if a day had passed."""
        with self._world.lock:
            self._world.limiter.reset()

    # Consent, tokens, connections

    def set_consent(
        self,
        user: str = "owner",
        tenant_ids: list[str] | None = None,
        *,
        deny: bool = False,
        page: bool = False,
    ) -> None:
        """What the person at the consent page does from now on; by default all organisations are granted at once."""
        with self._world.lock:
            self._world.identity.consent = Consent(user=user, tenant_ids=tenant_ids, deny=deny, page=page)

    def authorise(
        self,
        tenant_ids: list[str] | None = None,
        scopes: list[str] | None = None,
        client_id: str | None = None,
    ) -> Json:
        """A consent without a browser: the token address's answer. All organisations and scopes by default."""
        with self._world.lock:
            identity = self._world.identity
            app = identity.apps[client_id] if client_id else next(iter(identity.apps.values()))
            chosen = list(self._world.ledgers) if tenant_ids is None else tenant_ids
            granted = COMMON_SCOPES | GRANULAR_SCOPES if scopes is None else frozenset(scopes)
            return identity.issue_tokens(identity.grant(app, granted, chosen))

    def set_role(self, tenant_id: str, role: Role, user: str = "owner") -> None:
        """Give the user who connects another role in an organisation; what it lacks is answered by a bare 403.

        `standard` may do everything, `invoice_only` writes no payments, `read_only` writes nothing.
        """
        with self._books(tenant_id):
            self._world.identity.roles[user, tenant_id] = role

    def withdraw_scope(self, scope: str) -> None:
        """Take a scope from all tokens of all users, as if they had never granted it."""
        with self._world.lock:
            for grant in self._world.identity.grants:
                grant.scopes -= {scope}

    def disconnect(self, tenant_id: str) -> None:
        """Someone removes the app in Xero: calls on this tenant get 403 until somebody consents again."""
        with self._books(tenant_id):
            self._world.identity.disconnect_tenant(tenant_id)

    def revoke_tokens(self, user: str = "owner") -> None:
        """End all of a user's tokens and connections, for every app."""
        with self._world.lock:
            for client_id in self._world.identity.apps:
                self._world.identity.revoke_user(client_id, user)

    def expire_access_tokens(self) -> None:
        """Make every access token too old; refresh tokens stay good."""
        with self._world.lock:
            self._world.identity.expire_access_tokens()

    def expire_refresh_tokens(self) -> None:
        """Make every refresh token too old, as after 60 days without use."""
        with self._world.lock:
            self._world.identity.expire_refresh_tokens()

    # Time

    def now(self) -> str:
        """The simulator's clock, ISO 8601 in UTC."""
        return self._world.clock.now().isoformat()

    def advance_clock(self, seconds: float) -> str:
        """Move the clock on; answers the new time."""
        with self._world.lock:
            self._world.clock.advance(seconds)
            return self.now()

    def set_clock(self, moment: datetime | str) -> str:
        """Set the clock; it goes on from there. Answers the new time."""
        parsed = moment if isinstance(moment, datetime) else datetime.fromisoformat(moment)
        with self._world.lock:
            self._world.clock.set(parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC))
            return self.now()

    # Faults

    def add_fault(self, fault: Fault | Json) -> int:
        """Set a fault (as an object of `Fault`'s attributes over HTTP); answers its id."""
        with self._world.lock:
            return self._world.faults.add(fault if isinstance(fault, Fault) else Fault(**fault))

    def faults(self) -> list[Json]:
        """The faults that are set, with how many calls each has seen and struck."""
        with self._world.lock:
            return [
                {"id": fault_id, "seen": rule.seen, "struck": rule.struck, **asdict(rule.fault)}
                for fault_id, rule in self._world.faults.rules.items()
            ]

    def clear_faults(self) -> None:
        """Remove all faults, and let go what they hold."""
        with self._world.lock:
            self._world.faults.rules.clear()
        self.release_delayed()

    def release_delayed(self) -> None:
        """Let go every call that a delay fault without a time holds."""
        self._world.release_delayed()

    # Reading

    def ledger(self, tenant_id: str) -> Json:
        """A tenant's whole books: Xero's JSON with four decimal places, ``CreatedBy`` beside it, and the history.

        ``CreatedBy`` and the history's ``Actor`` are ``app:<client id>`` or ``bookkeeper``.
        """
        with self._books(tenant_id) as ledger:
            return _ledger_json(ledger)

    def calls(self, tenant_id: str | None = None, after: int = 0) -> list[Json]:
        """The calls received since number `after`, oldest first (see `calls.Call`)."""
        with self._world.lock:
            return [
                asdict(call)
                for call in self._world.calls.calls
                if call.sequence > after and tenant_id in {None, call.tenant_id}
            ]

    def clear_calls(self) -> None:
        """Forget the calls and the fullest windows; what was used of the limits still counts."""
        with self._world.lock:
            self._world.calls.calls.clear()
            for usage in self._world.limiter.usage.values():
                usage.fullest_minute = len(usage.arrivals)
                usage.most_concurrent = usage.in_progress

    def statistics(self) -> Json:
        """Sums over the calls, in all and by tenant.

        ``fullest_minute`` is the largest number of calls that arrived within any 60 seconds, refused ones included.
        """
        with self._world.lock:
            calls = self._world.calls
            return {
                "calls": len(calls.calls),
                "elements": sum(call.elements for call in calls.calls),
                "by_endpoint": calls.by_endpoint(None),
                "tenants": {
                    tenant_id: {
                        "fullest_minute": usage.fullest_minute,
                        "most_concurrent": usage.most_concurrent,
                        "calls": sum(call.tenant_id == tenant_id for call in calls.calls),
                        "elements": sum(call.elements for call in calls.calls if call.tenant_id == tenant_id),
                        "by_endpoint": calls.by_endpoint(tenant_id),
                    }
                    for tenant_id, usage in self._world.limiter.usage.items()
                },
            }


def _ledger_json(ledger: Ledger) -> Json:
    return {
        "Organisation": organisation_json(ledger.organisation),
        "Accounts": [account_json(row) for row in ledger.accounts.values()],
        "TaxRates": [tax_rate_json(row) for row in ledger.tax_rates.values()],
        "Contacts": [{**contact_json(row, _FULL), "CreatedBy": row.created_by} for row in ledger.contacts.values()],
        "Invoices": [
            {**invoice_json(ledger, row, _FULL), "CreatedBy": row.created_by} for row in ledger.invoices.values()
        ],
        "CreditNotes": [
            {**credit_note_json(ledger, row, _FULL), "CreatedBy": row.created_by}
            for row in ledger.credit_notes.values()
        ],
        "Payments": [
            {**payment_json(ledger, row, _FULL), "CreatedBy": row.created_by} for row in ledger.payments.values()
        ],
        "Allocations": [
            {
                **allocation_json(ledger, row),
                "CreditNote": {"CreditNoteID": row.credit_note_id},
                "CreatedBy": row.created_by,
            }
            for row in ledger.allocations.values()
        ],
        "History": [
            {
                "At": entry.at.isoformat(),
                "Actor": entry.actor,
                "Action": entry.action,
                "Table": entry.table,
                "Key": entry.key,
            }
            for entry in ledger.history
        ],
    }
