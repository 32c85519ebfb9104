"""What guards every answer and every act."""

import re
from html.parser import HTMLParser

import pytest
import requests

from consumer.configuration import ConfigurationError, read_configuration
from consumer.console.rate_limit import RateLimit
from consumer.console.refusal import Refusal
from consumer.console.routes import GUARDED_ROUTES
from consumer.console.visit import Face
from tests.console.conftest import Visitor, mark_of, running_console
from tests.sync.books import ORGANISATION, Books


class InlineScripts(HTMLParser):
    """Finds what a content security policy is there to forbid."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = {name for name, _ in attrs}
        if tag in {"script", "style"} and "src" not in names:
            self.found.append(tag)
        self.found += [f"{tag} {name}" for name in names if name.startswith("on") or name == "style"]


def test_no_page_has_scripts_or_styles_inside(visitor: Visitor, books: Books) -> None:
    books.save_invoice("order-1")
    books.push()
    for route in GUARDED_ROUTES:
        if route.face is Face.PAGE and route.method == "GET":
            path = route.path.replace("{log_id:int}", str(books.log()[0]["id"]))
            path = path.replace("{order_id:path}", "order-1").replace("{clinic_id:path}", "clinic-1")
            parser = InlineScripts()
            parser.feed(visitor.page(path).text)
            assert parser.found == [], path


@pytest.mark.usefixtures("books")
def test_every_answer_carries_the_headers(visitor: Visitor) -> None:
    for path in ("/", f"/organisations/{ORGANISATION}/log", "/nothing", "/static/console.css", "/api/openapi.json"):
        answer = visitor.get(path)
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert answer.headers["Cache-Control"] == ("public, max-age=300" if "static" in path else "no-store"), path
        assert "server" not in answer.headers


@pytest.mark.usefixtures("books")
def test_a_form_without_its_token_does_nothing(visitor: Visitor, books: Books) -> None:
    books.save_invoice("order-1")
    token = visitor.token()
    url = f"{visitor.url}/organisations/{ORGANISATION}/sync/order-1"
    for form, headers, status in (
        ({"csrf": ""}, {}, 403),
        ({}, {}, 415),
        ({"csrf": "x"}, {}, 403),
        ({"csrf": token}, {"Origin": "https://elsewhere.example"}, 403),
        ({"csrf": token}, {"Origin": "null"}, 403),
        ({"csrf": token}, {"Sec-Fetch-Site": "cross-site"}, 403),
    ):
        answer = visitor.session.post(url, data=form, headers=headers, timeout=30)
        assert answer.status_code == status, (form, headers)
    # The token of one session is of no use in another.
    assert requests.post(url, data={"csrf": token}, timeout=30).status_code == 403
    assert visitor.session.post(url, json={"csrf": token}, timeout=30).status_code == 415
    assert books.connection.execute("select count(*) from outbox where topic = 'retry'").fetchone() == (0,)
    form = {"csrf": token, "plan": mark_of(visitor.page("/sync/order-1").text)}
    answer = visitor.session.post(url, data=form, headers={"Origin": visitor.url}, timeout=30)
    assert answer.status_code == 200
    assert books.connection.execute("select count(*) from outbox where topic = 'retry'").fetchone() == (1,)


def test_the_api_takes_json_of_our_own_pages_alone(visitor: Visitor, books: Books) -> None:
    books.save_invoice("order-1")
    url = f"{visitor.url}/api/organisations/{ORGANISATION}/retry"
    # What another site's page could send without asking.
    for content_type in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        answer = requests.post(
            url, data='{"order_ids": ["order-1"]}', headers={"Content-Type": content_type}, timeout=30
        )
        assert answer.status_code == 415
    answer = requests.post(
        url, json={"order_ids": ["order-1"]}, headers={"Origin": "https://elsewhere.example"}, timeout=30
    )
    assert answer.status_code == 403
    assert visitor.api("/retry", {"order_ids": ["order-1"]}).status_code == 202


@pytest.mark.usefixtures("books")
def test_other_host_names_get_nothing(visitor: Visitor) -> None:
    port = visitor.url.rpartition(":")[2]
    answer = requests.get(f"http://127.0.0.1:{port}/organisations/org-1/log?x=1", allow_redirects=False, timeout=30)
    assert (answer.status_code, answer.headers["Location"]) == (307, f"{visitor.url}/organisations/org-1/log?x=1")
    rebound = requests.get(
        f"{visitor.url}/organisations/org-1/log", headers={"Host": "evil.example"}, allow_redirects=False, timeout=30
    )
    assert rebound.headers["Location"].startswith(visitor.url)
    answer = requests.post(f"{visitor.url}/sign-out", headers={"Host": "evil.example"}, timeout=30)
    assert answer.status_code == 421


@pytest.mark.usefixtures("books")
def test_cookies_are_kept_from_scripts_and_other_sites(visitor: Visitor) -> None:
    cookie = visitor.get(f"/organisations/{ORGANISATION}/export").headers["Set-Cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie


def test_a_console_behind_https_says_so_in_its_cookies(variables: dict[str, str], books: Books) -> None:
    del books
    port = variables["CONSOLE_ADDRESS"].rpartition(":")[2]
    with running_console(read_configuration({**variables, "CONSOLE_URL": "https://console.example"})):
        answer = requests.get(
            f"http://127.0.0.1:{port}/organisations/{ORGANISATION}/export",
            headers={"Host": "console.example"},
            timeout=30,
        )
    assert answer.headers["Set-Cookie"].startswith("__Host-hearlink=")
    assert "secure" in answer.headers["Set-Cookie"].lower()
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"


@pytest.mark.usefixtures("books")
def test_a_cookie_that_was_changed_counts_as_none(visitor: Visitor) -> None:
    token = visitor.token()
    name = "hearlink"
    value = visitor.session.cookies[name]
    visitor.session.cookies.clear()
    visitor.session.cookies.set(name, "A" + value[1:])
    answer = visitor.session.post(
        f"{visitor.url}/organisations/{ORGANISATION}/connect", data={"csrf": token}, timeout=30
    )
    assert answer.status_code == 403


def test_too_many_attempts_to_sign_in_are_refused() -> None:
    limit = RateLimit(attempts=3, seconds=3600.0)
    for _ in range(3):
        limit.count("192.0.2.1")
    with pytest.raises(Refusal, match="Too many attempts"):
        limit.count("192.0.2.1")
    limit.count("192.0.2.2")


def test_what_can_not_be_safe_does_not_start(variables: dict[str, str]) -> None:
    for more, message in (
        ({"CONSOLE_SIGN_IN": "password"}, "must be one of local, proxy, oidc"),
        ({"CONSOLE_ADDRESS": "0.0.0.0:0"}, "open to others"),
        ({"CONSOLE_SIGN_IN": "oidc", "CONSOLE_SECRET_KEY": ""}, "CONSOLE_SECRET_KEY is not set"),
        ({"CONSOLE_SIGN_IN": "oidc"}, "OIDC_ISSUER is not set"),
        ({"CONSOLE_TRUSTED_PROXIES": "everyone"}, "CONSOLE_TRUSTED_PROXIES"),
    ):
        with (
            pytest.raises(ConfigurationError, match=re.escape(message)),
            running_console(read_configuration({**variables, **more})),
        ):
            pass


@pytest.mark.usefixtures("books")
def test_senseless_filters_are_refused_in_words(visitor: Visitor) -> None:
    for query in (
        "before=x",
        "before=99999999999999999999",
        "outcome=maybe",
        "since=yesterday",
        "order=%00",
        "problem_id=-1",
    ):
        answer = visitor.get(f"/organisations/{ORGANISATION}/log?{query}")
        assert answer.status_code == 400, query
        assert "Something went wrong" not in answer.text, query


def test_what_people_write_stays_text(visitor: Visitor, books: Books) -> None:
    mark = "<script>alert(1)</script>"
    books.patients["order-1"] = {
        "patient_id": "p",
        "first_name": mark,
        "last_name": '"><img src=x onerror=alert(1)>',
        "email": None,
        "phone": None,
        "address": None,
    }
    books.save_invoice("order-1", reference=mark)
    books.push()
    for path in ("/orders/order-1", "/sync/order-1", f"/orders?q={mark}", f"/log?order={mark}&clinic={mark}"):
        text = visitor.page(path).text
        assert mark not in text, path
        assert "<img" not in text, path
