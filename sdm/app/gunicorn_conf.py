"""gunicorn's settings, from ours. No preload: every worker builds its own application and connections."""

from __future__ import annotations

import os
from typing import Any

from prometheus_client.multiprocess import mark_process_dead

from sdm.app import logs
from sdm.kernel.settings import Settings

_settings = Settings.from_env()

bind = f"{_settings.host}:{_settings.port}"
workers = _settings.workers
threads = _settings.threads
worker_class = "gthread"
preload_app = False
timeout = 90
graceful_timeout = 25
keepalive = 15
control_socket_disable = True
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108 - heartbeat files only
forwarded_allow_ips = "*" if _settings.proxy_hops else "127.0.0.1,::1"
limit_request_line = 8190
logconfig_dict: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "root": {"level": "INFO", "handlers": []},
    "loggers": {
        "gunicorn.error": {"level": "INFO", "handlers": [], "propagate": True},
        "gunicorn.access": {"level": "WARNING", "handlers": [], "propagate": True},
    },
}


def on_starting(_server: Any) -> None:
    """The master logs in our shape as well."""
    logs.configure(_settings.log_json)


def child_exit(_server: Any, worker: Any) -> None:
    """Forget the live figures of a worker that ended."""
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]
