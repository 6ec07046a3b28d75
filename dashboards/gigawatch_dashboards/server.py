"""Gunicorn around the application: one process, threads for people who look at the same time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from gunicorn.app.base import BaseApplication

from gigawatch_dashboards.app import create

if TYPE_CHECKING:
    from collections.abc import Callable

    from gigawatch_dashboards.surroundings import Site

THREADS: Final = 8


class Server(BaseApplication):
    """Serves a site on a listening socket, given by its descriptor and closed at the end.

    The database is opened in the process that serves.
    """

    def __init__(self, site: Site, listener: int, ready: Callable[[], None]) -> None:
        self._site = site
        self._listener = listener
        self._ready = ready
        super().__init__()

    def load_config(self) -> None:
        """Settings of Gunicorn that are not its defaults."""
        settings: dict[str, Any] = {
            "bind": f"fd://{self._listener}",
            "workers": 1,
            "worker_class": "gthread",
            "threads": THREADS,
            "loglevel": "warning",
            "graceful_timeout": 3,
            "control_socket_disable": True,  # it would leave a file in the home folder
            "proc_name": "gigawatch dashboards",
            "post_worker_init": lambda _: self._ready(),
        }
        for key, value in settings.items():
            self.cfg.set(key, value)

    def load(self) -> Any:
        """The WSGI application, in the worker."""
        self._site.store.open()
        return create(self._site).server
