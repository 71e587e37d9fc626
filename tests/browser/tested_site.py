"""A web site that page tests are tried on: parts that work, and parts that are broken in ways that people overlook."""

from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

EXAMPLE = "<!doctype html><title>Example Domain</title><h1>Example Domain</h1><p>For examples.</p>"

SEARCH = """<!doctype html><title>Finder</title><h1>Find it</h1><nav><a href="/login">Log in</a></nav>
<input type="search" placeholder="Search here" aria-label="Search" role="combobox">
<ul role="listbox" hidden></ul><script>
const input = document.querySelector('input'), list = document.querySelector('ul');
input.addEventListener('input', () => setTimeout(() => { list.hidden = false;
  list.innerHTML = MADE; }, 200));</script>"""

LOGIN = """<!doctype html><title>Sign in to Finder</title><h1>Welcome back</h1>
<form onsubmit="event.preventDefault(); if (this.elements.password.value !== 'right') {
  document.querySelector('.error').textContent = 'Wrong user name or password.'; }
  else { document.body.innerHTML = '<h1>Hello ' + this.elements.user.value + '</h1>'; }">
<label>User name <input name="user"></label><label>Password <input name="password" type="password"></label>
<label><input type="checkbox" name="stay"> Stay signed in</label>
<button>Sign in</button><p class="error" role="alert"></p></form><button disabled>Delete account</button>
<footer>All rights reserved</footer>"""

UNSEEN = """<!doctype html><title>Unseen</title><h1>Nothing to see</h1>
<p style="opacity: 0">Transparent words</p><p style="position: absolute; left: -9999px">Words outside</p>
<p style="position: absolute; width: 1px; height: 1px; overflow: hidden; clip: rect(0 0 0 0)"><b>Clipped words</b></p>
<p style="font-size: 0">Words without size</p><p style="color: transparent">Words without colour</p>
<p style="text-indent: -9999px; overflow: hidden">Indented words</p>
<div aria-label="Words only for ears">Visible words</div>
<button style="opacity: 0">Buy now</button><div style="opacity: 0"><form><input name="a"></form></div>"""

BROKEN_SCRIPT = "<!doctype html><title>Broken</title><h1>Still here</h1><script>undefinedThing.call();</script>"


def create() -> Starlette:
    """Return the site."""

    def page(html: str, status: int = 200) -> Callable[[Request], Awaitable[Response]]:
        async def answer(_request: Request) -> Response:
            return HTMLResponse(html, status)

        return answer

    offered = "'<li role=option>' + input.value + ' world</li><li role=option>' + input.value + ' kitty</li>'"
    return Starlette(
        routes=[
            Route("/", page(EXAMPLE)),
            Route("/search", page(SEARCH.replace("MADE", offered))),
            Route("/search-without-luck", page(SEARCH.replace("MADE", "'<li>No results found</li>'"))),
            Route("/search-broken", page(SEARCH.replace("MADE", "''"))),
            Route("/login", page(LOGIN)),
            Route("/unseen", page(UNSEEN)),
            Route("/broken-script", page(BROKEN_SCRIPT)),
            Route("/gone", page("<h1>Welcome</h1>", 500)),
        ]
    )
