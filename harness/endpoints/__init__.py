"""OpenAI-compatible endpoints: requests that are paced, retried and timed, and what came back.

Knows nothing of variants, adapters or suites. Whatever asks a server (the engine of served
variants, a judge) asks through here.
"""

from harness.endpoints.answers import Answer, TokenLog, read_answer
from harness.endpoints.client import Endpoint, Failure, Reply
from harness.endpoints.told import Told, ask

__all__ = ["Answer", "Endpoint", "Failure", "Reply", "TokenLog", "Told", "ask", "read_answer"]
