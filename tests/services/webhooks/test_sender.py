"""One message on the wire: pinned, verified, within its time, and not led astray."""

from __future__ import annotations

import datetime
import ssl
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from services.webhooks.addresses import Rules
from services.webhooks.sender import Answer, Sender
from tests.fakes.receiver import Receiver, drip, receiver, status

TESTS = Rules(loopback=True)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"


@pytest.fixture
def endpoint() -> Iterator[Receiver]:
    with receiver() as made:
        yield made


def post(url: str, *, timeout_s: float = 5.0, rules: Rules = TESTS) -> Answer:
    return Sender(rules, timeout_s).post(url, {"webhook-id": "msg_1"}, b'{"a":1}')


class TestAnAnswer:
    def test_of_200_to_299_is_success(self, endpoint: Receiver) -> None:
        endpoint.answers = [200, 299]
        assert post(endpoint.url()).delivered
        assert post(endpoint.url()).delivered
        sent = endpoint.got[0]
        assert (sent.body, sent.id, sent.headers["host"]) == (
            b'{"a":1}',
            "msg_1",
            f"127.0.0.1:{endpoint.port}",
        )

    @pytest.mark.parametrize("code", [400, 410, 429, 500])
    def test_of_anything_else_is_none(self, endpoint: Receiver, code: int) -> None:
        endpoint.answers = [code]
        answer = post(endpoint.url())
        assert (answer.status, answer.delivered) == (code, False)

    def test_that_leads_elsewhere_is_not_followed(self, endpoint: Receiver) -> None:
        endpoint.answers = [status(307, Location=endpoint.url("/elsewhere"))]
        answer = post(endpoint.url())
        assert (answer.status, answer.delivered) == (307, False)
        assert [each.path for each in endpoint.got] == ["/hook"]

    def test_that_comes_too_late_is_not_waited_for(self, endpoint: Receiver) -> None:
        endpoint.answers = [endpoint.hold]
        answer = post(endpoint.url(), timeout_s=0.3)
        assert (answer.status, answer.error) == (None, "no answer within 0.3 s")

    def test_whose_head_drips_is_cut_off(self, endpoint: Receiver) -> None:
        """Every byte would restart a timeout of one step; this one is for all."""
        endpoint.answers = [drip(HEAD, b"X-A: b\r\n")]
        began = time.monotonic()
        answer = post(endpoint.url(), timeout_s=0.4)
        assert answer.error == "no answer within 0.4 s"
        assert time.monotonic() - began < 2

    def test_whose_body_drips_counts_by_its_status(self, endpoint: Receiver) -> None:
        endpoint.answers = [drip(HEAD + b"Content-Length: 100000\r\n\r\n", b"x")]
        began = time.monotonic()
        assert post(endpoint.url(), timeout_s=10).delivered
        assert time.monotonic() - began < 3

    def test_that_never_ends_is_read_a_little(self, endpoint: Receiver) -> None:
        endpoint.answers = [drip(HEAD + b"\r\n", b"x" * 65536, every_s=0)]
        began = time.monotonic()
        assert post(endpoint.url(), timeout_s=10).delivered
        assert time.monotonic() - began < 0.9

    def test_that_is_no_http_is_an_error(self, endpoint: Receiver) -> None:
        endpoint.answers = [drip(b"SSH-2.0-OpenSSH\r\n", b"", for_s=0)]
        assert post(endpoint.url()).error == "the answer was not HTTP"

    def test_of_nobody_is_an_error(self, endpoint: Receiver) -> None:
        answer = post("http://127.0.0.1:1/hook")
        assert answer.status is None
        assert "could not connect" in str(answer.error)


class TestTheWay:
    def test_is_looked_up_once_and_then_pinned(self, endpoint: Receiver) -> None:
        """A name that says something else the second time (DNS rebinding) is not asked twice."""
        answers = [["127.0.0.1"], ["169.254.169.254"]]

        def resolver(host: str, port: int) -> Sequence[str]:
            assert host == "hooks.test"
            return answers.pop(0)

        sender = Sender(TESTS, 5, resolver=resolver)
        assert sender.post(endpoint.url(host="hooks.test"), {}, b"{}").delivered
        assert len(answers) == 1
        assert endpoint.got[0].headers["host"] == f"hooks.test:{endpoint.port}"
        # the next message asks anew, and is not sent where the name leads by then
        second = sender.post(endpoint.url(host="hooks.test"), {}, b"{}")
        assert second.error == "leads to an address that is not public"
        assert endpoint.connections == 1

    @pytest.mark.parametrize("found", [["127.0.0.1"], ["8.8.8.8", "127.0.0.1"], ["::1"]])
    def test_does_not_lead_inside(self, endpoint: Receiver, found: list[str]) -> None:
        sender = Sender(Rules(), 5, resolver=lambda *_: found)
        answer = sender.post("https://hooks.test/", {}, b"{}")
        assert answer.error == "leads to an address that is not public"
        assert endpoint.connections == 0

    def test_goes_to_the_next_address_if_one_is_dead(self, endpoint: Receiver) -> None:
        sender = Sender(TESTS, 5, resolver=lambda *_: ["::1", "127.0.0.1"])
        assert sender.post(endpoint.url(host="hooks.test"), {}, b"{}").delivered

    def test_leads_through_no_proxy_of_the_environment(
        self, endpoint: Receiver, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, "http://127.0.0.1:1")
        assert post(endpoint.url()).delivered


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hooks.test")])
    today = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(today - datetime.timedelta(days=1))
        .not_valid_after(today + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("hooks.test")]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture
def secure(certificate: Path) -> Iterator[Receiver]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with receiver(context) as made:
        yield made


class TestTls:
    """The address is pinned, and the certificate must still be the name's."""

    def _sender(self, trusted: ssl.SSLContext | None) -> Sender:
        return Sender(TESTS, 5, resolver=lambda *_: ["127.0.0.1"], tls=trusted)

    def test_is_verified_against_the_name(self, secure: Receiver, certificate: Path) -> None:
        trusted = ssl.create_default_context(cafile=str(certificate))
        sender = self._sender(trusted)
        assert sender.post(secure.url(host="hooks.test"), {}, b"{}").delivered
        other = sender.post(secure.url(host="other.test"), {}, b"{}")
        assert "CERTIFICATE_VERIFY_FAILED" in str(other.error)

    def test_of_nobody_whom_the_system_trusts_is_refused(self, secure: Receiver) -> None:
        answer = self._sender(None).post(secure.url(host="hooks.test"), {}, b"{}")
        assert "CERTIFICATE_VERIFY_FAILED" in str(answer.error)
        assert secure.got == []
