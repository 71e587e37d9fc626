"""The installation's secret: hashes user ids, encrypts what agents need to be told to let us in, signs webhooks.

It lives outside the database (`FEDERATION_SECRET_KEY`, else a file in `DATA_DIR`), so that a copy of the database alone
reveals none of it.
"""

import base64
import hashlib
import hmac

from cryptography.fernet import Fernet, InvalidToken

from orchestrator_service.settings import Settings
from shared import secret_key, webhooks
from shared.errors import FederationError


class CredentialsUnreadableError(FederationError):
    """Stored credentials were encrypted with another key."""

    slug = "credentials-unreadable"
    title = "Stored credentials cannot be read"
    status = 500


class Keys:
    """Derives one key per purpose from the installation's secret."""

    def __init__(self, secret: bytes, webhook_secret: bytes | None = None) -> None:
        self._hashing = secret_key.derive(secret, "user ids")
        self._pushing = secret_key.derive(secret, "push tokens")
        self._asking = secret_key.derive(secret, "questions in chats")
        self._webhook_secret = webhook_secret or secret_key.derive(secret, "webhooks")
        self._box = Fernet(base64.urlsafe_b64encode(secret_key.derive(secret, "credentials")))

    def hash_user(self, tenant_id: str, user_id: str) -> str:
        """Return the name under which a user is stored: HMAC-SHA-256, per tenant, 32 hex digits."""
        return hmac.new(self._hashing, f"{tenant_id}\0{user_id}".encode(), hashlib.sha256).hexdigest()[:32]

    def webhook_secret(self) -> bytes:
        """Return the key that webhooks are signed with: the one that was set, else one made from the secret."""
        return self._webhook_secret

    def push_token(self, task_id: str, step_id: str, number: int) -> str:
        """Return what an agent must show to push about this attempt: an HMAC, 64 hex digits."""
        return hmac.digest(self._pushing, f"{task_id}\0{step_id}\0{number}".encode(), "sha256").hex()

    def is_push_token(self, token: str, task_id: str, step_id: str, number: int) -> bool:
        """Say whether `token` is the one of this attempt, in a time that tells nothing of how near it is."""
        return hmac.compare_digest(token.encode(), self.push_token(task_id, step_id, number).encode())

    def question_token(self, input_id: str) -> str:
        """Return what shows in a chat that a question was asked there, and not written by an agent: 32 hex digits."""
        return hmac.digest(self._asking, input_id.encode(), "sha256").hex()[:32]

    def seal(self, content: bytes) -> bytes:
        """Return an agent's credentials encrypted."""
        return self._box.encrypt(content)

    def unseal(self, sealed: bytes) -> bytes:
        """Return what `seal` was given. Raises: CredentialsUnreadableError."""
        try:
            return self._box.decrypt(sealed)
        except InvalidToken as error:
            raise CredentialsUnreadableError(
                "The agent's credentials were stored with another FEDERATION_SECRET_KEY; register the agent again."
            ) from error


def open_keys(settings: Settings) -> Keys:
    """Return the keys of this installation; the secret is made on first use, readable by its owner only."""
    given = settings.webhook_secret
    webhook_secret = None if given is None else webhooks.parse_secret(given.get_secret_value())
    return Keys(secret_key.read(settings), webhook_secret)
