"""The page that describes the API: whole where no other host can be reached."""

from __future__ import annotations

import base64
import hashlib
import re
from urllib.parse import urljoin, urlsplit

import httpx2
import pytest

PAGE = "http://test/docs"


@pytest.fixture
async def page(http: httpx2.AsyncClient) -> httpx2.Response:
    answer = await http.get("/docs")
    assert answer.status_code == 200
    return answer


def addresses(page: httpx2.Response) -> list[str]:
    """Whatever the page loads, or asks for when its script runs."""
    found = re.findall(r"""(?:src|href)=["']([^"']+)|url: '([^']+)'""", page.text)
    return [urljoin(PAGE, one or other) for one, other in found]


class TestThePage:
    async def test_needs_nothing_but_this_server(
        self, http: httpx2.AsyncClient, page: httpx2.Response
    ) -> None:
        loaded = {}
        for address in addresses(page):
            parts = urlsplit(address)
            assert parts.netloc == "test", address
            answer = await http.get(parts.path)
            assert answer.status_code == 200, address
            loaded[parts.path.rsplit(".")[-1]] = answer.headers["content-type"].split(";")[0]
        assert loaded == {
            "js": "text/javascript",
            "css": "text/css",
            "png": "image/png",
            "json": "application/json",
        }

    async def test_lets_run_its_own_scripts_and_no_others(self, page: httpx2.Response) -> None:
        policy = page.headers["content-security-policy"]
        scripts = re.findall(r"<script>(.*?)</script>", page.text, re.DOTALL)
        assert scripts
        for script in scripts:
            digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
            assert f"'sha256-{digest}'" in policy
        script_rule = next(rule for rule in policy.split("; ") if rule.startswith("script-src"))
        assert "unsafe" not in script_rule
        assert "http" not in policy
        assert "frame-ancestors 'none'" in policy


class TestItsFiles:
    FILE = "/docs/files/swagger-ui-bundle.js"

    async def test_may_be_kept_and_are_not_sent_twice(self, http: httpx2.AsyncClient) -> None:
        first = await http.get(self.FILE)
        assert first.headers["cache-control"].startswith("public, max-age=")
        again = await http.get(self.FILE, headers={"if-none-match": first.headers["etag"]})
        assert again.status_code == 304
        assert not again.content

    @pytest.mark.parametrize("name", ["absent.js", "../main.py", "..%2fmain.py", ""])
    async def test_are_those_files_only(self, http: httpx2.AsyncClient, name: str) -> None:
        answer = await http.get(f"/docs/files/{name}")
        assert answer.status_code == 404
        assert answer.json()["error_code"] == "NOT_FOUND"
