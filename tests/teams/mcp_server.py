"""A small MCP server of the official library, over stdio or, with a port as argument, over streamable HTTP."""

import os
import sys
import time

from mcp.server.mcpserver import MCPServer

server = MCPServer("Calculator")


@server.tool()
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@server.tool()
def secret() -> str:
    """Tell what nobody is to know."""
    return "the secret"


@server.tool()
def environment() -> str:
    """Tell the names of the environment's variables that are set."""
    return " ".join(sorted(name for name, value in os.environ.items() if value))


@server.tool()
def long_text() -> str:
    """Tell much."""
    return "x" * 100_000


@server.tool()
def search(query: str) -> str:
    """Search the archive."""
    return f"The archive says: the lighthouse of Hagsund was built in 1871 (asked for {query})."


@server.tool()
def fail() -> str:
    """Fail."""
    raise ValueError("It went wrong.")


@server.tool()
def sleep() -> str:
    """Take very long."""
    time.sleep(60)
    return "done"


@server.tool()
def die() -> str:
    """End the process."""
    os._exit(1)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        server.run("streamable-http", host="127.0.0.1", port=int(sys.argv[1]))
    else:
        server.run("stdio")
