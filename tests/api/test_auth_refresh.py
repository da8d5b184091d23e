"""Refresh tokens: a lost answer costs nothing, a stolen token ends the sign-in."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.database import Database, Role, perform
from core.ids import new_id
from core.settings import Settings
from services import accounts
from services.accounts import Outcome
from services.tokens import KeyRing, new_refresh_token, refresh_hash
from tests.conftest import User
from tests.stack import Stores


async def refresh(http: httpx2.AsyncClient, token: str) -> httpx2.Response:
    return await http.post("/api/v1/auth/refresh", json={"refresh_token": token})


async def successor(http: httpx2.AsyncClient, token: str) -> str:
    answer = await refresh(http, token)
    assert answer.status_code == 200, answer.text
    found: str = answer.json()["data"]["refresh_token"]
    return found


def age(stores: Stores, user: User, seconds: float) -> None:
    """Let time pass for this user's refresh tokens."""
    with stores.sql() as sql:
        sql.execute(
            "UPDATE refresh_tokens SET used_at = used_at - make_interval(secs => %s),"
            " expires_at = expires_at - make_interval(secs => %s) WHERE user_id = %s",
            (seconds, seconds, user.id),
        )


class TestRefresh:
    async def test_answers_like_login_with_a_new_pair(
        self, http: httpx2.AsyncClient, user: User
    ) -> None:
        answer = await refresh(http, user.tokens["refresh_token"])
        assert answer.status_code == 200
        data = answer.json()["data"]
        assert set(data) == set(user.tokens)
        assert data["user"] == user.tokens["user"]
        assert data["refresh_token"] != user.tokens["refresh_token"]
        headers = {"authorization": f"Bearer {data['access_token']}"}
        assert (await http.get("/api/v1/auth/me", headers=headers)).status_code == 200

    async def test_after_a_lost_answer_gives_the_same_again(
        self, http: httpx2.AsyncClient, user: User, stores: Stores
    ) -> None:
        first = user.tokens["refresh_token"]
        second = await successor(http, first)
        age(stores, user, 9)
        assert await successor(http, first) == second
        assert await successor(http, second)

    async def test_at_once_from_several_tabs_gives_all_the_same(
        self, http: httpx2.AsyncClient, user: User
    ) -> None:
        token = user.tokens["refresh_token"]
        found = await asyncio.gather(*(successor(http, token) for _ in range(8)))
        assert len(set(found)) == 1
        assert await successor(http, found[0])

    async def test_of_a_used_token_later_ends_the_sign_in(
        self, http: httpx2.AsyncClient, user: User, stores: Stores
    ) -> None:
        first = user.tokens["refresh_token"]
        second = await successor(http, first)
        third = await successor(http, second)
        age(stores, user, 11)
        answer = await refresh(http, first)
        assert answer.status_code == 401
        assert answer.json()["error_code"] == "INVALID_REFRESH_TOKEN"
        for token in (first, second, third):
            assert (await refresh(http, token)).status_code == 401
        assert (await user.http.get("/api/v1/auth/me")).status_code == 401

    async def test_of_a_token_whose_successor_is_in_use_ends_it_at_once(
        self, http: httpx2.AsyncClient, user: User
    ) -> None:
        first = user.tokens["refresh_token"]
        third = await successor(http, await successor(http, first))
        # nobody who has used the answer asks for it again: this is a copy
        assert (await refresh(http, first)).status_code == 401
        assert (await refresh(http, third)).status_code == 401

    async def test_ends_only_the_sign_in_that_was_stolen(
        self, http: httpx2.AsyncClient, user: User, stores: Stores
    ) -> None:
        body = {"email": user.email, "password": user.password}
        other = (await http.post("/api/v1/auth/login", json=body)).json()["data"]
        await successor(http, user.tokens["refresh_token"])
        age(stores, user, 11)
        assert (await refresh(http, user.tokens["refresh_token"])).status_code == 401
        assert (await refresh(http, other["refresh_token"])).status_code == 200

    async def test_of_an_idle_token_is_refused_and_ends_nothing(
        self, http: httpx2.AsyncClient, user: User, stores: Stores
    ) -> None:
        age(stores, user, 30 * 86400 + 1)
        assert (await refresh(http, user.tokens["refresh_token"])).status_code == 401
        assert (await user.http.get("/api/v1/auth/me")).status_code == 200

    async def test_stops_at_the_end_of_the_sign_in(
        self, http: httpx2.AsyncClient, user: User, stores: Stores
    ) -> None:
        with stores.sql() as sql:
            sql.execute("UPDATE sessions SET expires_at = now() WHERE user_id = %s", (user.id,))
        assert (await refresh(http, user.tokens["refresh_token"])).status_code == 401

    @pytest.mark.parametrize("token", ["x", "x" * 43, "\u00e9", "x" * 256])
    async def test_of_an_unknown_token_is_refused(
        self, token: str, http: httpx2.AsyncClient
    ) -> None:
        assert (await refresh(http, token)).status_code == 401


START = datetime(2026, 11, 21, tzinfo=UTC)


@dataclass
class Family:
    """What a family of refresh tokens should do, in the plainest words."""

    tokens: list[str]
    used_at: list[datetime | None] = field(default_factory=lambda: [None])
    alive: bool = True

    def expect(self, index: int, at: datetime) -> Outcome:
        used = self.used_at[index]
        if used is None:
            return Outcome.ROTATED if self.alive else Outcome.REFUSED
        lost = self.used_at[index + 1] is None and at <= used + timedelta(seconds=10)
        return Outcome.REPEATED if lost and self.alive else Outcome.REUSED


@pytest.fixture(scope="module")
def database(stores: Stores) -> Iterator[Database]:
    database = Database(Settings(), Role.APP, pool_size=1)
    yield database
    database.dispose()


@pytest.fixture
def keys(stores: Stores) -> KeyRing:
    return KeyRing.from_pem(stores.key_file.read_text())


def begin(database: Database) -> str:
    """An account with one sign-in; its refresh token."""
    user_id, token = new_id(), new_refresh_token()
    with database.transaction(user_id) as session:
        perform(session, accounts.create_account(user_id, f"{user_id}@example.com", "", None))
        perform(session, accounts.begin_sign_in(user_id, refresh_hash(token), None))
    return token


class TestEveryOrderOfThings:
    @settings(
        max_examples=60,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(
        st.lists(
            # how many tokens back from the newest, and how many seconds later
            st.tuples(st.integers(0, 3), st.sampled_from([0, 1, 5, 9, 10, 11, 60])),
            max_size=12,
        )
    )
    def test_keeps_the_honest_and_stops_the_thief(
        self, database: Database, keys: KeyRing, steps: list[tuple[int, int]]
    ) -> None:
        family, at = Family([begin(database)]), START
        session_id: UUID | None = None
        for back, seconds in steps:
            at += timedelta(seconds=seconds)
            index = max(len(family.tokens) - 1 - back, 0)
            token = family.tokens[index]
            following = keys.successor(token)
            expected = family.expect(index, at)
            with database.transaction() as session:
                rotation = perform(
                    session, accounts.rotate(refresh_hash(token), refresh_hash(following), at)
                )
            assert rotation.outcome is expected
            session_id = session_id or rotation.session_id
            assert rotation.session_id == session_id
            if expected is Outcome.ROTATED:
                family.used_at[index] = at
                family.tokens.append(following)
                family.used_at.append(None)
            elif expected is Outcome.REPEATED:
                assert following == family.tokens[index + 1]
            elif expected is Outcome.REUSED:
                family.alive = False

    def test_a_changed_key_cannot_answer_for_a_lost_answer(
        self, database: Database, keys: KeyRing
    ) -> None:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        token = begin(database)
        other = KeyRing(Ed25519PrivateKey.generate())
        outcomes: list[Any] = []
        for ring in (keys, other):
            with database.transaction() as session:
                steps = accounts.rotate(refresh_hash(token), refresh_hash(ring.successor(token)))
                outcomes.append(perform(session, steps).outcome)
        # two processes with different keys are a broken deployment: refuse, do not guess
        assert outcomes == [Outcome.ROTATED, Outcome.REUSED]
