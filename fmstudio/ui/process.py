"""The process that serves the page: what is refused before anything is built, and how it ends."""

from __future__ import annotations

import gc
import os
import signal
import sys
from argparse import Namespace
from collections.abc import Callable
from typing import NoReturn

from fmstudio.console import print_anything


def run(options: Namespace, refuse: Callable[[str], NoReturn]) -> NoReturn:
    """Serve until Ctrl-C, or until a service manager asks to end; then end the process at once.

    Args:
        options: ``host``, ``port``, ``no_browser``, ``share``, ``hub``, ``api_seconds``, ``api_memory``; see
            `fmstudio.ui.launch.launch` and `fmstudio.ui.launch.budgeted`.
        refuse: ends the process with a sentence about options that cannot be.
    """
    print_anything()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    gc.disable()  # Imports make a million objects that all stay: nothing to collect until the page is served.
    status = 0
    try:
        from fmstudio.ui.launch import budgeted, check, launch

        try:
            budgeted(options.api_seconds, options.api_memory)
            check(options.host, options.port, options.hub)
        except ValueError as error:
            refuse(str(error))
        browser = not options.no_browser
        launch(options.host, options.port, browser=browser, share=options.share, hub=options.hub)
    except KeyboardInterrupt:
        status = 130
    sys.stdout.flush()
    sys.stderr.flush()
    # Torch aborts the process if Python ends it in its own time while a thread still trains.
    os._exit(status)
