"""A service as a process of its own, for tests of how it starts, logs and stops: `python -m ... DATA_DIR PORT`."""

import gc
import logging
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI
from pydantic import SecretStr

from shared import http_protocol, service, telemetry
from shared.errors import NotInstalledError
from shared.settings import FederationSettings

logger = logging.getLogger(__name__)


def main() -> None:
    """Serve on the port given; the third argument "broken" makes the start fail, "hasty" waits for no head."""
    data_dir, port, mode = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    if mode == "hasty":
        http_protocol._HEAD_S = 0.2  # pyright: ignore[reportPrivateUsage] - a test cannot wait for half a minute
    settings = FederationSettings.model_validate({"data_dir": data_dir, "api_agent_port": port, "log_format": "json"})

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncGenerator[None]:
        if mode == "broken":
            raise NotInstalledError("Chromium is missing; install it.")
        yield

    def create() -> FastAPI:
        app = service.create_app(settings, "api", "Process", "A service that logs.", lifespan)

        @app.get("/log")
        async def log(text: str) -> dict[str, str]:  # pyright: ignore[reportUnusedFunction] - the decorator keeps it
            with telemetry.bind(task_id="T1", step_id="S1"):
                facts = {"api_key": "k-123", "key": SecretStr("hidden"), "said": text, "count": 3}
                logger.info("said", extra=facts)
            logger.warning("Authorization: Bearer abcdefghijklmnop was sent to http://user:pass@127.0.0.1/")
            return {}

        @app.get("/garbage")
        async def garbage() -> dict[str, int]:  # pyright: ignore[reportUnusedFunction] - the decorator keeps it
            return {"left_alone": gc.get_freeze_count(), "looks_after": gc.isenabled() and gc.get_threshold()[0]}

        return app

    service.run(create, settings, "api")


if __name__ == "__main__":
    main()
