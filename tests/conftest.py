"""For every test: these machines are shared, so no property is timed."""

from hypothesis import settings

settings.register_profile("patient", deadline=None)
settings.load_profile("patient")
