"""A page that changes all the time, waits for a person's click, and takes a password."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

PAGE = """<!doctype html><title>Waiting for a person</title><style>body { margin: 0; }
button { position: absolute; left: 0; top: 0; width: 300px; height: 200px; }</style>
<button onclick="document.querySelector('h1').textContent = 'Pressed by a person'">Press</button>
<h1 style="margin-top: 250px">Not yet</h1><p>0</p>
<input name="typed" style="position: absolute; left: 400px; top: 50px">
<script>setInterval(() => { const p = document.querySelector('p'); p.textContent = Number(p.textContent) + 1; }, 50);
</script>"""

LOGIN = """<!doctype html><title>Login</title><h1>Login</h1><form action="/in" method="get">
<label>User <input name="user"></label><label>Password <input name="password" type="password"></label>
<button>Enter</button></form>"""


def create() -> Starlette:
    """Return the site."""

    async def home(_request: Request) -> Response:
        return HTMLResponse(PAGE)

    async def login(_request: Request) -> Response:
        return HTMLResponse(LOGIN)

    async def inside(request: Request) -> Response:
        said = request.query_params.get("password", "")
        return HTMLResponse(f"<title>In</title><h1>Inside</h1><p data-was='{len(said)}'>Welcome</p>")

    return Starlette(routes=[Route("/", home), Route("/login", login), Route("/in", inside)])
