"""The pool at a glance: the broker, the queues and who waits on them, the limits, the imports."""

from __future__ import annotations

from kombu import Queue

from core.settings import get_settings

# ── Work ────────────────────────────────────────────────────────────────────────────────────
# One line per kind of job. Named as strings, so that nothing here pulls an engine in.
imports = (
    "tasks.plan_route.task",
    "tasks.import_expenses.task",
    "tasks.export_books.task",
    "tasks.report_expenses.task",
    "tasks.take_receipt.task",
    "tasks.read_receipt.task",
    "tasks.deliver_webhook.task",
)

# ── Queues, one per lane ────────────────────────────────────────────────────────────────────
task_queues = (
    # plan_route, report_expenses, take_receipt and read_receipt; behind them import_expenses and
    # export_books. Somebody watches a progress bar: seconds matter. CPU-bound, so prefork
    # processes, one per core:
    # `celery -A workers.app worker -Q compute --pool prefork`.
    Queue("compute"),
    # Kinds that wait for other services (language models, voices, webhooks). Threads, many
    # per process: `celery -A workers.app worker -Q io --pool threads`.
    Queue("io"),
)
task_default_queue = "compute"
# A typo in a queue's name is an error, not a new queue that no worker reads.
task_create_missing_queues = False

# ── Broker: a hint, never the truth ─────────────────────────────────────────────────────────
broker_url = get_settings().redis_url
# A worker outlives any outage of the broker; the supervisor restarts one that does not.
broker_connection_retry_on_startup = True
broker_connection_max_retries = None
# Nor does one exit because the broker refuses to write (a full disk, a replica after a
# failover): its runs go on, and it comes back by itself.
broker_channel_error_retry = True
# A publisher that finds no free connection gives up at once; housekeeping sends later.
broker_pool_acquire_timeout = 0.5
# A lost reply to a publish must not become a second message.
task_publish_retry = False
broker_transport_options = {
    # Kombu's default is no timeout at all: a broker that vanished without FIN would hang us.
    "socket_timeout": 5,
    "socket_connect_timeout": 1,
    "socket_keepalive": True,
    # Notices a half-open connection of an idle worker, and drops it.
    "health_check_interval": 5,
    # Noise control only. Redelivery is ours: an unacked message is one the worker has not begun.
    "visibility_timeout": 3600,
    # Everything of Celery's under one prefix: the server may be shared.
    "global_keyprefix": "wheels:",
}

# ── Delivery ────────────────────────────────────────────────────────────────────────────────
# Leases in Postgres own recovery, so a message is acknowledged when its job begins. Late acks
# would add redelivery by visibility timeout and poison loops, and recover nothing that leases
# do not (docs/decisions/0001-early-acks.md).
task_acks_late = False
task_reject_on_worker_lost = False
# The job goes on when the connection breaks; nothing of it depends on the broker.
worker_cancel_long_running_tasks_on_connection_loss = False
# No message is taken that no slot is free for: waiting jobs stay where any worker finds them.
worker_prefetch_multiplier = 1
worker_disable_prefetch = True
# Results live in Postgres, written together with what they changed.
result_backend = None
task_ignore_result = True
# The message holds ids and numbers; JSON says all of them, and nothing can be unpickled.
accept_content = ["json"]
task_serializer = "json"

# ── Processes ───────────────────────────────────────────────────────────────────────────────
# Libraries leak a little; a child is renewed before it shows.
worker_max_tasks_per_child = 500
# Our lines are JSON already (core.log); Celery keeps its hands off handlers and stdout.
worker_hijack_root_logger = False
worker_redirect_stdouts = False
# For Flower. "Sent" events would cost every publish a second round trip and say what Postgres
# knows better.
worker_send_task_events = True
task_send_sent_event = False
# One zone in every process.
enable_utc = True
timezone = "UTC"
