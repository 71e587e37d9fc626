"""A service that does nothing but say how it is: what the process runner is tested with."""

import signal
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class _Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b'{"status": "ok", "problems": ["Chromium is missing."]}' if self.path == "/health" else b"{}"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002, ARG002 - as overridden
        return


def serve(port: int, *, stubborn: bool = False) -> None:
    """Serve until SIGTERM. A `stubborn` one ignores it, and has a child that does the same."""
    if stubborn:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        child = subprocess.Popen([sys.executable, "-c", "import signal; signal.sigwait({signal.SIGUSR1})"])
        sys.stdout.write(f"child {child.pid}\n")
    sys.stdout.write('{"level": "warning", "message": "it is small"}\n')
    sys.stdout.flush()
    ThreadingHTTPServer(("127.0.0.1", port), _Answer).serve_forever()
