"""Every setting of every process: one frozen class, read from the environment."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import Field, PositiveInt, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

# postgres:// (Heroku, Render), postgresql+asyncpg:// (older projects): one driver serves them all
_POSTGRES = re.compile(r"^postgres(ql)?(\+\w+)?://")


def _psycopg_url(url: str) -> str:
    if not _POSTGRES.match(url):
        raise ValueError("must be a postgresql:// address")
    # asyncpg spells libpq's sslmode as ssl
    return re.sub(r"([?&])ssl=", r"\1sslmode=", _POSTGRES.sub("postgresql+psycopg://", url))


class Settings(BaseSettings):
    """Settings by the name of their environment variable, in lower case."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    # Stores. The owner migrates; `app` serves requests; `engine` moves jobs.
    database_url: str
    #: Addresses of the two working roles. Without them, each transaction of the
    #: owner's login begins with SET LOCAL ROLE, which any pooler allows.
    app_database_url: str | None = None
    engine_database_url: str | None = None
    #: For migrations, past a transaction-mode pooler.
    direct_database_url: str | None = None
    redis_url: str = "redis://127.0.0.1:6379/0"
    #: Off behind a pooler that loses prepared statements (PgBouncer < 1.21).
    database_prepare: bool = True
    database_pool_size: int = Field(default=16, ge=1)

    data_dir: Path = Path(".local")
    #: Where files lie that jobs make, `s3://bucket/prefix`; without it, a folder of `data_dir`.
    artifacts_url: str | None = None

    # Sign-in
    jwt_private_key: SecretStr | None = None
    jwt_private_key_file: Path | None = None
    jwt_issuer: str = "wheels-and-wins"
    jwt_audience: str = "wheels-and-wins"

    # The door
    cors_origins: list[str] = Field(default_factory=list)
    rate_limits: bool = True
    #: Unfinished jobs that one user may have.
    max_unfinished_jobs: int = Field(default=1000, ge=1)
    #: The same by kind, as JSON: {"plan_route": 100}. A kind that is not named has only the above.
    max_unfinished_by_kind: dict[str, PositiveInt] = Field(default_factory=dict)
    #: Jobs of one user that may run or be with the broker at once, in each lane.
    max_running_jobs: int = Field(default=64, ge=1)
    #: Jobs of one kind that may, of all users together, as JSON.
    max_running_by_kind: dict[str, PositiveInt] = Field(default_factory=dict)
    #: Schedules that one user may have.
    max_schedules: int = Field(default=100, ge=1)
    #: A stream ends after so long and its client resumes it: none is held for ever.
    stream_lifetime_s: float = Field(default=3600.0, gt=0)
    #: How long an SSE client may leave its socket unread before the stream is cut.
    stream_write_timeout_s: float = Field(default=20.0, gt=0)

    # Receipts
    #: Largest file that is taken, bytes.
    max_receipt_bytes: int = Field(default=15_000_000, ge=1)
    #: Pages of a PDF.
    max_receipt_pages: int = Field(default=20, ge=1)
    #: Receipts that one user may have, and the bytes of all their files.
    max_receipts: int = Field(default=10_000, ge=1)
    max_receipts_bytes: int = Field(default=5_000_000_000, ge=1)
    #: A deleted receipt can be restored for so long; then its bytes go too.
    keep_deleted_receipts_days: float = Field(default=30.0, ge=0)

    # Operators
    #: What Prometheus sends as a bearer token for `/metrics`; without it only admins read them.
    metrics_token: SecretStr | None = None
    #: A worker with idle slots that takes nothing for so long while messages wait for it
    #: restarts itself. Seconds.
    stalled_worker_s: float = Field(default=30.0, gt=0)

    #: Address of an OTLP/HTTP collector, `http://host:4318`; without it nothing is traced.
    otel_exporter_otlp_endpoint: str | None = None

    # The life of a job
    lease_s: float = Field(default=30.0, gt=0)
    #: Finished jobs, their events and artifacts are kept so long.
    keep_jobs_days: float = Field(default=30.0, gt=0)
    #: First delay of the back-off between attempts that ended in an error.
    retry_base_s: float = Field(default=2.0, ge=0)

    # Roads. Without a token they come from the offline graph.
    mapbox_token: SecretStr | None = None
    mapbox_url: str = "https://api.mapbox.com"
    mapbox_profile: Literal["driving", "driving-traffic"] = "driving"
    #: Cells of the table of one plan (places squared); a larger one is planned offline.
    mapbox_elements_per_job: int = Field(default=5_000, ge=0)
    #: Cells that all plans of a UTC day may fetch together; Mapbox bills by the cell.
    mapbox_elements_per_day: int = Field(default=20_000, ge=0)
    #: How long an answer serves further plans; 0 keeps none. Mapbox allows temporary keeping only.
    mapbox_keep_hours: float = Field(default=24.0, ge=0)
    #: How long a plan waits for Mapbox in all before it goes on offline.
    mapbox_patience_s: float = Field(default=30.0, gt=0)

    # Imports
    #: Size of an uploaded file. Bytes.
    import_max_bytes: int = Field(default=25_000_000, ge=1)
    #: Expenses in one file: all of them are one commit.
    import_max_lines: int = Field(default=100_000, ge=1)
    #: Wrong lines that a dry run names; it counts them all. Of suspects as many.
    import_errors_shown: int = Field(default=1_000, ge=1)

    # Reports
    #: A folder with more fonts for PDFs: Chinese, Japanese, Korean, coloured emoji.
    report_fonts: Path | None = None
    #: Entries that a PDF lists; of more it says how many it leaves out.
    report_pdf_rows: int = Field(default=5_000, ge=0, le=10_000)

    # Webhooks
    #: Endpoints that one user may have.
    max_webhooks: int = Field(default=20, ge=1)
    #: Whether addresses may be http:// too.
    webhooks_allow_http: bool = False
    #: Whether addresses may be of this machine, over http:// and on any port: for tests only.
    webhooks_allow_loopback: bool = False
    #: How long an endpoint may take in all, from its name's address to its answer's end.
    webhook_timeout_s: float = Field(default=15.0, gt=0, le=30)

    log_level: str = "INFO"
    log_format: Literal["json", "console"] = "json"

    @field_validator(
        "database_url", "app_database_url", "engine_database_url", "direct_database_url"
    )
    @classmethod
    def _one_driver(cls, url: str | None) -> str | None:
        return _psycopg_url(url) if url else None

    @field_validator("artifacts_url")
    @classmethod
    def _one_bucket(cls, url: str | None) -> str | None:
        if url and not re.match(r"^s3://[^/]", url):
            raise ValueError("must be s3://bucket or s3://bucket/prefix")
        return url or None

    @field_validator("mapbox_token", "metrics_token")
    @classmethod
    def _blank_is_none(cls, token: SecretStr | None) -> SecretStr | None:
        # hosts and compose files pass variables on as empty strings
        return token if token and token.get_secret_value().strip() else None

    @field_validator("redis_url")
    @classmethod
    def _one_scheme(cls, url: str) -> str:
        # redis-py and kombu know no valkey:// although both speak to one
        return re.sub(r"^valkey(s?)://", r"redis\1://", url)

    @property
    def heartbeat_s(self) -> float:
        """Seconds between renewals of a lease: two may be missed."""
        return self.lease_s / 3

    @property
    def migration_url(self) -> str:
        return self.direct_database_url or self.database_url


@lru_cache
def get_settings() -> Settings:
    """The settings of this process, read once."""
    return Settings()
