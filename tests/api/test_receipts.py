"""Receipts over HTTP: sent, refused, attached, fetched, deleted, and of nobody else."""

from __future__ import annotations

import hashlib
import random
from io import BytesIO
from types import SimpleNamespace
from typing import Any, cast

import httpx2
import pypdfium2
import pytest
from PIL import Image

from api.schemas.receipts import ReceiptMade, ReceiptNew, ReceiptRead
from core.ids import new_id
from models.job import Status
from services.receipts.views import ReceiptView, Shown, State
from tests import receipts
from tests.api.conftest import MakeApp, Running
from tests.conftest import User
from tests.receipts import PHOTO, RECEIPTS, Json, drawn, encoded, made, send
from tests.stack import Child, Stores
from tests.tasks.read_receipt.drawing import drawn as printed

EXPENSES = "/api/v1/expenses"
DONE = ("read_receipt", "succeeded")
SPENT = {"amount": "182.50", "currency": "AUD", "category": "fuel", "spent_on": "2026-01-14"}


async def an_expense(user: User) -> str:
    answer = await user.http.post(EXPENSES, json=SPENT)
    return str(answer.json()["data"]["id"])


def fields(answer: httpx2.Response) -> set[str]:
    assert answer.status_code == 422, answer.text
    return set(answer.json()["field_errors"])


def code(answer: httpx2.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error_code"]


@pytest.mark.usefixtures("compute_worker")
class TestAReceipt:
    def test_has_the_fields_that_are_written(self) -> None:
        assert set(ReceiptView.WRITTEN) == set(ReceiptNew.model_fields)

    async def test_is_made_of_a_photograph(self, user: User) -> None:
        answer = await send(user, wait_s=25)
        receipt = answer.json()["data"]
        ReceiptMade.model_validate(receipt)
        assert (answer.status_code, receipt["status"], receipt["job"]) == (201, "ready", None)
        assert receipt["suggested"] == {
            "taken_at": "2026-01-14T10:22:00",
            "place": {"lat": -35.108333, "lon": 147.366667},
        }
        assert (receipt["name"], receipt["media_type"], receipt["pages"]) == (
            *("photo.jpg", "image/jpeg"),
            1,
        )
        assert receipt["expense_id"] is None
        read = await user.http.get(answer.headers["location"])
        del receipt["job"]
        assert read.json()["data"] == receipt
        ReceiptRead.model_validate(receipt)
        known = {"If-None-Match": read.headers["etag"]}
        assert (await user.http.get(receipt["links"]["self"], headers=known)).status_code == 304

    async def test_is_fetched_without_what_the_photograph_told(self, user: User) -> None:
        receipt = await made(user, PHOTO + b"<script>alert(1)</script>")
        for part, size in (("file", (300, 500)), ("thumbnail", (240, 400)), ("page", (300, 500))):
            answer = await user.http.get(receipt["links"][part])
            assert answer.headers["content-type"] == "image/jpeg"
            assert answer.headers["content-disposition"].startswith("attachment;")
            assert answer.headers["x-content-type-options"] == "nosniff"
            image = Image.open(BytesIO(answer.content))
            assert (image.size, dict(image.getexif())) == (size, {})
            assert b"<script>" not in answer.content
        file = await user.http.get(receipt["links"]["file"])
        assert hashlib.sha256(file.content).hexdigest() == receipt["sha256"]
        assert len(file.content) == receipt["size_bytes"]
        some = await user.http.get(receipt["links"]["file"], headers={"Range": "bytes=0-9"})
        assert (some.status_code, some.content) == (206, file.content[:10])
        known = {"If-None-Match": file.headers["etag"]}
        again = await user.http.get(receipt["links"]["file"], headers=known)
        assert (again.status_code, again.content) == (304, b"")

    async def test_is_made_of_a_pdf(self, user: User) -> None:
        receipt = await made(user, receipts.pdf(2), name="Invoice.2026")
        assert (receipt["media_type"], receipt["pages"]) == ("application/pdf", 2)
        file = await user.http.get(receipt["links"]["file"])
        assert 'filename="Invoice.pdf"' in file.headers["content-disposition"]
        assert len(pypdfium2.PdfDocument(file.content)) == 2
        pages = [
            await user.http.get(f"{RECEIPTS}/{receipt['id']}/pages/{number}")
            for number in (1, 2, 3, 0, 10**12)
        ]
        assert [page.status_code for page in pages] == [200, 200, 404, 404, 404]

    async def test_is_the_body_itself_as_well(self, user: User) -> None:
        expense_id = await an_expense(user)
        answer = await user.http.post(
            f"{RECEIPTS}?expense_id={expense_id}",
            content=PHOTO,
            headers={"Content-Type": "image/png", "Prefer": "wait=25"},
        )
        receipt = answer.json()["data"]
        assert (receipt["status"], receipt["expense_id"]) == ("ready", expense_id)
        assert receipt["name"] == "receipt"

    async def test_that_is_refused_says_why(self, user: User, compute_worker: Child) -> None:
        """And the worker lives: the next one is taken."""
        cut = encoded(Image.effect_noise((300, 300), 50).convert("RGB"))[:5000]
        long = receipts.pdf(21)
        for content, why in (
            (receipts.bomb(), "PICTURE_TOO_LARGE"),
            (cut, "RECEIPT_BROKEN"),
            (long, "PDF_TOO_LONG"),
        ):
            receipt = (await send(user, content, wait_s=25)).json()["data"]
            error = receipt["error"]
            assert (receipt["status"], error["error_code"]) == ("failed", why)
            assert (error["status"], list(error["field_errors"])) == (422, ["file"])
            assert receipt["job"]["status"] == "failed"
            file = await user.http.get(f"{RECEIPTS}/{receipt['id']}/file")
            assert code(file) == (409, "RECEIPT_NOT_READY")
        assert (await made(user))["status"] == "ready"

    async def test_is_attached_and_detached(self, user: User) -> None:
        expense_id = await an_expense(user)
        receipt = await made(user)
        address = receipt["links"]["self"]
        tag = {"If-Match": f'"{receipt["version"]}"'}
        answer = await user.http.patch(address, json={"expense_id": expense_id}, headers=tag)
        assert answer.json()["data"]["expense_id"] == expense_id
        stale = await user.http.patch(address, json={"expense_id": None}, headers=tag)
        assert stale.status_code == 412
        await made(user)
        for query, found in (
            (f"expense_id={expense_id}", 1),
            ("attached=true", 1),
            ("attached=false", 1),
            ("", 2),
        ):
            assert (await user.http.get(f"{RECEIPTS}?{query}")).json()["total"] == found
        answer = await user.http.patch(address, json={"expense_id": None})
        assert answer.json()["data"]["expense_id"] is None

    async def test_is_deleted_and_restored(self, user: User) -> None:
        receipt = await made(user)
        address, file = receipt["links"]["self"], receipt["links"]["file"]
        assert (await user.http.delete(address)).status_code == 204
        assert [(await user.http.get(each)).status_code for each in (address, file)] == [404, 404]
        assert (await user.http.get(f"{RECEIPTS}?deleted=true")).json()["total"] == 1
        answer = await user.http.post(f"{address}/restore")
        assert answer.json()["data"]["status"] == "ready"
        assert (await user.http.get(file)).status_code == 200

    async def test_is_of_nobody_else(self, user: User, sign_up: Any) -> None:
        stranger, receipt = await sign_up(), await made(user)
        for part in ("self", "file", "thumbnail", "page"):
            assert (await stranger.http.get(receipt["links"][part])).status_code == 404
        foreign = await an_expense(stranger)
        patched = await user.http.patch(receipt["links"]["self"], json={"expense_id": foreign})
        assert fields(patched) == {"expense_id"}
        assert fields(await send(user, expense_id=foreign)) == {"expense_id"}

    async def test_sent_twice_with_a_key_is_one(self, user: User) -> None:
        first, second = [
            await user.http.post(
                RECEIPTS, files={"file": ("a.jpg", PHOTO)}, headers={"Idempotency-Key": "k"}
            )
            for _ in range(2)
        ]
        assert first.json()["data"]["id"] == second.json()["data"]["id"]
        assert second.headers["idempotent-replayed"] == "true"
        other = await user.http.post(
            RECEIPTS,
            files={"file": ("a.jpg", encoded(drawn((9, 9))))},
            headers={"Idempotency-Key": "k"},
        )
        assert code(other) == (422, "IDEMPOTENCY_KEY_REUSED")


@pytest.mark.usefixtures("compute_worker")
class TestReading:
    async def test_suggests_and_books_nothing(self, user: User) -> None:
        pytest.importorskip("rapidocr")
        truth = printed(0)
        receipt = await made(user, truth.picture())
        answer = await user.http.post(
            f"{RECEIPTS}/{receipt['id']}/read",
            json={"country": truth.country},
            headers={"Prefer": "wait=25"},
        )
        job = answer.json()["data"]
        assert (answer.status_code, job["kind"], job["status"]) == (202, *DONE), job
        assert job["result"]["total"]["value"] == str(truth.total)
        assert job["result"]["date"]["value"] == truth.day.isoformat()
        read = (await user.http.get(receipt["links"]["self"])).json()["data"]
        assert {**read["reading"], "receipt_id": receipt["id"]} == job["result"]
        assert read["version"] > receipt["version"]
        assert (await user.http.get(EXPENSES)).json()["total"] == 0

    async def test_wants_one_that_is_ready_and_hints_that_are_known(
        self, user: User, sign_up: Any
    ) -> None:
        absent = await user.http.post(f"{RECEIPTS}/{new_id()}/read")
        assert code(absent) == (404, "RECEIPT_NOT_FOUND")
        failed = (await send(user, receipts.bomb(8000), wait_s=25)).json()["data"]
        refused = await user.http.post(f"{RECEIPTS}/{failed['id']}/read")
        assert code(refused) == (409, "RECEIPT_NOT_READY")
        wrong = await user.http.post(
            f"{RECEIPTS}/{failed['id']}/read", json={"country": "Mars", "planet": 4}
        )
        assert fields(wrong) == {"country", "planet"}


class TestTheState:
    @pytest.mark.parametrize(
        ("status", "state"),
        [
            (Status.QUEUED, State.PROCESSING),
            (Status.RUNNING, State.PROCESSING),
            # it was taken between the look at the receipt and that at its job
            (Status.SUCCEEDED, State.PROCESSING),
            (Status.FAILED, State.FAILED),
            (Status.CANCELLED, State.FAILED),
            (Status.EXPIRED, State.FAILED),
            (None, State.FAILED),
        ],
    )
    def test_of_what_is_not_taken_is_by_its_job(self, status: Status | None, state: State) -> None:
        receipt, job = SimpleNamespace(taken_at=None), SimpleNamespace(status=status)
        shown = Shown(cast(Any, receipt), cast(Any, job if status else None))
        assert shown.state is state


class TestWhatIsSent:
    @pytest.mark.parametrize("content", [b"", b"GIF89a" + bytes(50), b"<svg/>", b"x" + PHOTO])
    async def test_is_judged_by_its_first_bytes(self, content: bytes, user: User) -> None:
        answer = await send(user, content)
        assert code(answer) == (415, "UNSUPPORTED_MEDIA_TYPE")
        raw = {"Content-Type": "image/jpeg"}
        answer = await user.http.post(RECEIPTS, content=content, headers=raw)
        assert answer.status_code == 415

    async def test_as_something_else_is_refused(self, user: User) -> None:
        answer = await user.http.post(RECEIPTS, json={"file": "x"})
        assert answer.status_code == 415

    async def test_names_every_wrong_field(self, user: User) -> None:
        answer = await user.http.post(
            RECEIPTS, data={"colour": "red", "expense_id": "1"}, files={"other": b"1"}
        )
        assert fields(answer) == {"file", "colour", "other"}
        form: Json = {"files": {"file": ("a", PHOTO)}, "data": {"expense_id": "1", "name": ""}}
        assert fields(await user.http.post(RECEIPTS, **form)) == {"expense_id", "name"}
        assert fields(await send(user, expense_id=str(new_id()))) == {"expense_id"}
        assert (await user.http.get(RECEIPTS)).json()["total"] == 0

    async def test_is_bounded_before_it_is_read(
        self, make_app: MakeApp, running: Running, user: User
    ) -> None:
        whole = random.Random(1).randbytes(200_000)
        app = make_app(max_receipt_bytes=100_000)
        token = {"Authorization": f"Bearer {user.tokens['access_token']}"}
        async with running(app) as client:
            for size, status in ((90_000, 201), (100_001, 413), (190_000, 413)):
                content = PHOTO + whole[: size - len(PHOTO)]
                form = {"file": ("a.jpg", content)}
                answer = await client.post(RECEIPTS, files=form, headers=token)
                assert answer.status_code == status, answer.text
                raw = {**token, "Content-Type": "image/jpeg"}
                answer = await client.post(RECEIPTS, content=content, headers=raw)
                assert answer.status_code == status, answer.text

    async def test_is_counted(self, make_app: MakeApp, running: Running, user: User) -> None:
        token = {"Authorization": f"Bearer {user.tokens['access_token']}"}
        form: Json = {"files": {"file": ("a.jpg", PHOTO)}, "headers": token}
        async with running(make_app(max_receipts=1)) as client:
            assert (await client.post(RECEIPTS, **form)).status_code == 201
            assert code(await client.post(RECEIPTS, **form)) == (409, "TOO_MANY_RECEIPTS")
        room = make_app(max_receipts_bytes=len(PHOTO))
        async with running(room) as client:
            assert code(await client.post(RECEIPTS, **form)) == (409, "RECEIPT_STORAGE_FULL")

    async def test_without_a_worker_waits_and_is_cancelled(
        self, user: User, stores: Stores
    ) -> None:
        with stores.sql() as sql:
            sql.execute(
                "INSERT INTO pauses (scope, name, paused_by)"
                " VALUES ('kind', 'take_receipt', gen_random_uuid())"
            )
            try:
                answer = await send(user)
                receipt = answer.json()["data"]
                assert (receipt["status"], "etag" in answer.headers) == ("processing", False)
                assert receipt["links"]["file"] is None
                assert receipt["job"]["kind"] == "take_receipt"
                await user.http.post(f"{receipt['links']['job']}/cancel")
                read = (await user.http.get(receipt["links"]["self"])).json()["data"]
                assert (read["status"], read["error"]) == ("failed", None)
            finally:
                sql.execute("DELETE FROM pauses")
