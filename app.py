"""Build the page and launch it."""

import argparse
import gc
import os

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
parser = argparse.ArgumentParser(description="Flow Matching Studio")
parser.add_argument("--host", default=os.environ.get("GRADIO_SERVER_NAME", "127.0.0.1"))
parser.add_argument("--port", type=int, default=None, help="the first free one from 7860 unless given")
parser.add_argument("--no-browser", action="store_true", help="do not open a browser")
parser.add_argument("--share", action="store_true", help="a public link through Gradio's relay")
parser.add_argument("--hub", choices=("off", "cards", "any"), help="large models that visitors may fetch")

if __name__ == "__main__":
    options = parser.parse_args()
    gc.disable()  # Imports make a million objects that all stay: nothing to collect until the page is served.
    from fmstudio.ui.launch import launch

    browser = not options.no_browser
    launch(options.host, options.port, browser=browser, share=options.share, hub=options.hub)
