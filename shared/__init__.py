"""What two or more services need; imports none of them."""

import os

# Read by the A2A SDK when it is imported: left on, it makes 59 spans for every message.
os.environ.setdefault("OTEL_INSTRUMENTATION_A2A_SDK_ENABLED", "false")
