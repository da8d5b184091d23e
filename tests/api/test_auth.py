"""Signing up, in and out, and what a stranger can learn from it."""

from __future__ import annotations

import asyncio
import statistics
import time
from typing import Any

import httpx2
import pytest

from services.passwords import MAX_WAITING, Passwords, SignInBusy
from tests.conftest import User
from tests.stack import Stores

SIGNUP = "/api/v1/auth/signup"
LOGIN = "/api/v1/auth/login"


def bearer(tokens: dict[str, Any]) -> dict[str, str]:
    return {"authorization": f"Bearer {tokens['access_token']}"}


class TestSignup:
    async def test_makes_an_account_and_signs_in(self, http: httpx2.AsyncClient) -> None:
        body = {
            "email": "  Ann.Smith+van@Example.COM ",
            "password": "correct horse",
            "display_name": " Ann ",
        }
        answer = await http.post(SIGNUP, json=body)
        assert answer.status_code == 201
        data = answer.json()["data"]
        assert set(data) == {"user", "access_token", "refresh_token", "token_type", "expires_in"}
        assert data["token_type"] == "bearer"
        assert data["expires_in"] == 900
        assert data["user"]["email"] == "ann.smith+van@example.com"
        assert data["user"]["display_name"] == "Ann"
        assert data["user"]["role"] == "user"
        assert data["user"]["created_at"].endswith("Z")
        assert "password" not in answer.text
        assert answer.headers["location"] == f"/api/v1/users/{data['user']['id']}"
        me = await http.get("/api/v1/auth/me", headers=bearer(data))
        assert me.json() == {"data": data["user"]}

    async def test_of_a_taken_address_is_a_conflict_in_any_spelling(
        self, http: httpx2.AsyncClient, user: User
    ) -> None:
        for email in (user.email, user.email.upper(), f" {user.email}\t"):
            answer = await http.post(SIGNUP, json={"email": email, "password": "12345678"})
            assert answer.status_code == 409
            assert answer.json()["error_code"] == "EMAIL_TAKEN"

    async def test_at_once_makes_one_account(self, http: httpx2.AsyncClient) -> None:
        body = {"email": "twins@example.com", "password": "12345678"}
        answers = await asyncio.gather(*(http.post(SIGNUP, json=body) for _ in range(6)))
        assert sorted(answer.status_code for answer in answers) == [201] + [409] * 5

    @pytest.mark.parametrize(
        "email",
        [
            *("", "a", "a@b", "@example.com", "a@", "a b@example.com", "a@exa mple.com"),
            *("a@-x.com", "a..b@example.com", ".a@example.com", "a@b..com", "a@@b.com"),
            *("a@b.com\n.x", "é@b.com", "x" * 65 + "@example.com", f"a@{'x' * 250}.com"),
            *(None, 7, ["a@b.com"]),
        ],
    )
    async def test_needs_an_address(self, email: Any, http: httpx2.AsyncClient) -> None:
        answer = await http.post(SIGNUP, json={"email": email, "password": "12345678"})
        assert answer.status_code == 422
        assert list(answer.json()["field_errors"]) == ["email"]

    @pytest.mark.parametrize(("length", "status"), [(7, 422), (8, 201), (128, 201), (129, 422)])
    async def test_wants_a_password_of_sane_length(
        self, length: int, status: int, http: httpx2.AsyncClient
    ) -> None:
        body = {"email": f"len{length}@example.com", "password": "é" * length}
        answer = await http.post(SIGNUP, json=body)
        assert answer.status_code == status
        if status == 422:
            assert list(answer.json()["field_errors"]) == ["password"]

    async def test_cannot_choose_a_role(self, http: httpx2.AsyncClient) -> None:
        body = {"email": "root@example.com", "password": "12345678", "role": "admin"}
        answer = await http.post(SIGNUP, json=body)
        assert answer.status_code == 422

    async def test_stores_argon2id_and_no_token(self, user: User, stores: Stores) -> None:
        stored = stores.one("SELECT password_hash FROM users WHERE email = %s", user.email)
        assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
        digest = stores.one("SELECT hash FROM refresh_tokens WHERE user_id = %s", user.id)
        assert len(digest) == 32
        assert user.tokens["refresh_token"].encode() not in digest


class TestLogin:
    async def test_answers_like_signup(self, http: httpx2.AsyncClient, user: User) -> None:
        body = {"email": user.email.title(), "password": user.password}
        answer = await http.post(LOGIN, json=body)
        assert answer.status_code == 200
        data = answer.json()["data"]
        assert data["user"] == user.tokens["user"]
        assert data["refresh_token"] != user.tokens["refresh_token"]

    async def test_tells_nobody_who_has_an_account(
        self, http: httpx2.AsyncClient, user: User
    ) -> None:
        bodies = []
        for email in (user.email, "nobody@example.com", "not even an address"):
            answer = await http.post(LOGIN, json={"email": email, "password": "wrong password"})
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"] == "Bearer"
            body = answer.json()
            del body["request_id"]
            bodies.append(body)
        assert bodies[0] == bodies[1] == bodies[2]
        assert bodies[0]["error_code"] == "INVALID_CREDENTIALS"

    async def test_takes_as_long_for_the_unknown(
        self, http: httpx2.AsyncClient, user: User
    ) -> None:
        async def seconds(email: str) -> float:
            began = time.perf_counter()
            await http.post(LOGIN, json={"email": email, "password": "wrong password"})
            return time.perf_counter() - began

        known, unknown = [], []
        for _ in range(8):
            known.append(await seconds(user.email))
            unknown.append(await seconds("nobody@example.com"))
        # a forgotten hash would make it ten times as fast; load on the machine does not
        assert statistics.median(unknown) > 0.5 * statistics.median(known)

    async def test_refuses_an_account_without_password(
        self, http: httpx2.AsyncClient, user: User, stores: Stores
    ) -> None:
        with stores.sql() as sql:
            sql.execute("UPDATE users SET password_hash = NULL WHERE id = %s", (user.id,))
        answer = await http.post(LOGIN, json={"email": user.email, "password": user.password})
        assert answer.status_code == 401

    async def test_renews_a_hash_of_older_strength(
        self, http: httpx2.AsyncClient, user: User, stores: Stores
    ) -> None:
        from pwdlib.hashers.argon2 import Argon2Hasher

        weak = Argon2Hasher(time_cost=1, memory_cost=8 * 1024, parallelism=1).hash(user.password)
        with stores.sql() as sql:
            sql.execute("UPDATE users SET password_hash = %s WHERE id = %s", (weak, user.id))
        answer = await http.post(LOGIN, json={"email": user.email, "password": user.password})
        assert answer.status_code == 200
        stored = stores.one("SELECT password_hash FROM users WHERE id = %s", user.id)
        assert "m=19456,t=2,p=1" in stored


class TestSessions:
    async def test_are_listed_with_the_current_one_marked(
        self, http: httpx2.AsyncClient, user: User
    ) -> None:
        body = {"email": user.email, "password": user.password}
        await http.post(LOGIN, json=body, headers={"user-agent": "Tablet" + "x" * 300})
        answer = (await user.http.get("/api/v1/auth/sessions")).json()
        assert (answer["total"], answer["page"], answer["page_size"]) == (2, 1, 50)
        tablet, own = answer["data"]
        assert own["current"]
        assert not tablet["current"]
        assert tablet["user_agent"].startswith("Tablet")
        assert len(tablet["user_agent"]) == 200
        second = (await user.http.get("/api/v1/auth/sessions?page=2&page_size=1")).json()
        assert second["data"] == [own]
        assert second["total"] == 2

    async def test_can_be_ended_from_another_device(
        self, http: httpx2.AsyncClient, user: User
    ) -> None:
        body = {"email": user.email, "password": user.password}
        tablet = (await http.post(LOGIN, json=body)).json()["data"]
        sessions = (await user.http.get("/api/v1/auth/sessions")).json()["data"]
        other = next(session for session in sessions if not session["current"])
        path = f"/api/v1/auth/sessions/{other['id']}"
        assert (await user.http.delete(path)).status_code == 204
        assert (await user.http.delete(path)).status_code == 404
        refreshed = await http.post(
            "/api/v1/auth/refresh", json={"refresh_token": tablet["refresh_token"]}
        )
        assert refreshed.status_code == 401
        assert (await http.get("/api/v1/auth/me", headers=bearer(tablet))).status_code == 401
        assert (await user.http.get("/api/v1/auth/me")).status_code == 200

    async def test_logout_ends_the_own_one(self, http: httpx2.AsyncClient, user: User) -> None:
        answer = await user.http.post("/api/v1/auth/logout")
        assert answer.status_code == 204
        assert answer.content == b""
        refreshed = await http.post(
            "/api/v1/auth/refresh", json={"refresh_token": user.tokens["refresh_token"]}
        )
        assert refreshed.status_code == 401
        assert (await user.http.get("/api/v1/auth/me")).status_code == 401
        assert (await user.http.post("/api/v1/auth/logout")).status_code == 204

    async def test_long_ended_ones_are_dropped_at_the_next_login(
        self, http: httpx2.AsyncClient, user: User, stores: Stores
    ) -> None:
        with stores.sql() as sql:
            sql.execute(
                "UPDATE sessions SET revoked_at = now() - interval '31 days' WHERE user_id = %s",
                (user.id,),
            )
        await http.post(LOGIN, json={"email": user.email, "password": user.password})
        assert stores.one("SELECT count(*) FROM sessions WHERE user_id = %s", user.id) == 1
        assert stores.one("SELECT count(*) FROM refresh_tokens WHERE user_id = %s", user.id) == 1

    async def test_a_deleted_account_is_signed_out(self, user: User, stores: Stores) -> None:
        with stores.sql() as sql:
            sql.execute("DELETE FROM users WHERE id = %s", (user.id,))
        assert (await user.http.get("/api/v1/auth/me")).status_code == 401


class TestPathsWithTheUsersId:
    async def test_exist_for_the_own_id_only(self, user: User, sign_up: Any) -> None:
        stranger = await sign_up()
        for path in ("", "/auth/me", "/auth/sessions"):
            own = await user.http.get(f"/api/v1/users/{user.id}{path}")
            assert own.status_code == 200
            other = await user.http.get(f"/api/v1/users/{stranger.id}{path}")
            absent = await user.http.get(
                f"/api/v1/users/01a1fd81-bcfb-70b2-966b-015b4c455be7{path}"
            )
            nonsense = await user.http.get(f"/api/v1/users/me{path}")
            assert other.status_code == absent.status_code == nonsense.status_code == 404
            assert other.json() | {"request_id": ""} == absent.json() | {"request_id": ""}


class TestHashing:
    async def test_leaves_the_event_loop_free(self) -> None:
        passwords = Passwords()
        longest = 0.0

        async def watch() -> None:
            nonlocal longest
            while True:
                began = time.perf_counter()
                await asyncio.sleep(0.001)
                longest = max(longest, time.perf_counter() - began)

        watcher = asyncio.create_task(watch())
        await asyncio.gather(*(passwords.hash("12345678") for _ in range(10)))
        watcher.cancel()
        passwords.close()
        assert longest < 0.2

    async def test_refuses_more_than_can_be_done_soon(self) -> None:
        passwords = Passwords()
        passwords._waiting = MAX_WAITING
        with pytest.raises(SignInBusy):
            await passwords.hash("12345678")
        passwords.close()

    async def test_one_password_has_one_form(self) -> None:
        passwords = Passwords()
        stored = await passwords.hash("café-café")
        assert await passwords.verify("cafe\u0301-cafe\u0301", stored) == (True, None)
        assert await passwords.verify("anything", None) == (False, None)
        passwords.close()
