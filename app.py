"""Build the page and launch it."""

import argparse
import gc
import os
import signal
import sys

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
parser = argparse.ArgumentParser(description="Flow Matching Studio")
parser.add_argument("--host", default=os.environ.get("GRADIO_SERVER_NAME", "127.0.0.1"))
parser.add_argument(
    "--port",
    type=int,
    default=os.environ.get("GRADIO_SERVER_PORT"),
    help="the first free one from 7860 unless given",
)
parser.add_argument("--no-browser", action="store_true", help="do not open a browser")
parser.add_argument("--share", action="store_true", help="a public link through Gradio's relay")
parser.add_argument("--hub", choices=("off", "cards", "any"), help="large models that visitors may fetch")


def main() -> int:
    """Serve until Ctrl-C, or until a service manager asks to end; returns the exit status."""
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    gc.disable()  # Imports make a million objects that all stay: nothing to collect until the page is served.
    try:
        from fmstudio.ui.launch import check, launch

        try:
            check(options.host, options.port, options.hub)
        except ValueError as error:
            parser.error(str(error))
        browser = not options.no_browser
        launch(options.host, options.port, browser=browser, share=options.share, hub=options.hub)
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # At once: torch aborts the process if Python ends it while a thread still trains.
    os._exit(status)
