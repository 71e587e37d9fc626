"""When Python looks for garbage: objects that only each other refer to. Everything else it frees at once."""

import gc
from typing import Final

_NEW_OBJECTS: Final = 20_000


def leave_alone_what_stays() -> None:
    """Begin to serve: what was made until now, mostly modules, is not looked at again, and new objects less often.

    By default Python looks whenever there are 700 objects more, and now and then at all there are: a task makes
    thousands, nearly all without such circles, and modules have made some 200,000.
    Source: https://docs.python.org/3/library/gc.html
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS)
