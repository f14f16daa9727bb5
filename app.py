"""Build the page and launch it."""

import argparse
import os

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
parser = argparse.ArgumentParser(description="Flow Matching Studio")
parser.add_argument("--host", default=os.environ.get("GRADIO_SERVER_NAME", "127.0.0.1"))
PORT = os.environ.get("GRADIO_SERVER_PORT")
parser.add_argument("--port", type=int, default=PORT, help="the first free one from 7860 unless given")
parser.add_argument("--no-browser", action="store_true", help="do not open a browser")
parser.add_argument("--share", action="store_true", help="a public link through Gradio's relay")
parser.add_argument("--api-seconds", metavar="S", help="of work that one API call may use; 900 unless given")
parser.add_argument("--api-memory", metavar="GB", help="that one API call may use; 4 unless given")
parser.add_argument("--hub", choices=("off", "cards", "any"), help="large models that visitors may fetch")

if __name__ == "__main__":
    from fmstudio.ui.process import run

    run(parser.parse_args(), parser.error)
