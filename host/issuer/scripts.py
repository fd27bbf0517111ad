"""Issuer scripts that somebody has asked for: each rides on the next approved chip answers of its card (tag 72).

In memory, as fault rules are: a tool of tests, gone at the end of the process. Used by several threads.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from host.errors import HostError
from host.issuer.cards import CardIndex
from host.pan_hash import pan_hash
from specs import emv
from specs.masking import mask_pan
from specs.values import replace

SCRIPTS_MAX = 100
TIMES_MAX = 1_000
SCRIPT_BYTES_MAX = 128
"""Of all commands with their identifier: what a card must take at least (EMV book 3, 10.10)."""
_COMMAND = re.compile(r"(?:[0-9A-F]{2}){4,}")
"""CLA, INS, P1, P2, and what the command has beside them."""


class ScriptError(HostError):
    """A script that cannot be taken. where: a JSON pointer; why: for people, without card data."""

    def __init__(self, where: str, why: str) -> None:
        super().__init__(f"{where}: {why}")
        self.where = where
        self.why = why


@dataclass(frozen=True, slots=True)
class Script:
    """One script. id: also its identifier 9F18. card: masked. times: how many answers carry it; sent: have carried."""

    id: int
    card: str
    pan_hash: str = field(repr=False)
    commands: tuple[str, ...] = field(repr=False)
    times: int = 1
    sent: int = 0

    @property
    def value(self) -> bytes:
        """The inside of its tag 72."""
        return emv.script(self.id, tuple(bytes.fromhex(command) for command in self.commands))

    def to_json(self) -> dict[str, object]:
        """As the API shows it."""
        return {
            "id": str(self.id),
            "card": self.card,
            "commands": list(self.commands),
            "times": self.times,
            "sent": self.sent,
            "left": self.times - self.sent,
        }


class ScriptTable:
    """The scripts, oldest first. key: that of the store's card number hashes; cards: those whose keys may be held."""

    def __init__(self, key: bytes = b"", cards: CardIndex | None = None) -> None:
        self._key = key
        self._cards: Mapping[str, object] = cards or {}
        self._by_name = {card.name: hashed for hashed, card in (cards or {}).items()}
        self._with_key = {hashed: mask_pan(card.pan) for hashed, card in (cards or {}).items() if card.chip is not None}
        self._scripts: dict[int, Script] = {}
        self._next = 1
        self._lock = threading.Lock()

    def add(self, card: str, commands: Iterable[str], times: int = 1) -> Script:
        """card: the name or number of a test card with a chip; commands: hex. Raises: ScriptError naming the key."""
        hashed = self._by_name.get(card) or pan_hash(self._key, card)
        if hashed not in self._with_key:
            raise ScriptError("/card", "no test card with a chip key: its issuer cannot speak to its chip")
        texts = tuple(command.upper() for command in commands)
        for at, text in enumerate(texts):
            if not _COMMAND.fullmatch(text):
                raise ScriptError(f"/commands/{at}", "expected hex of 4 bytes (CLA INS P1 P2) or more")
        if not texts:
            raise ScriptError("/commands", "a script has at least one command")
        if not 1 <= times <= TIMES_MAX:
            raise ScriptError("/times", f"expected a whole number from 1 to {TIMES_MAX}")
        with self._lock:
            script = Script(self._next, self._with_key[hashed], hashed, texts, times)
            if len(script.value) > SCRIPT_BYTES_MAX:
                raise ScriptError("/commands", f"a script has at most {SCRIPT_BYTES_MAX} bytes")
            if len(self._scripts) >= SCRIPTS_MAX:
                raise ScriptError("", f"there are {SCRIPTS_MAX} scripts already: delete some")
            self._next += 1
            self._scripts[script.id] = script
        return script

    def list(self) -> list[Script]:
        """A copy, oldest first, those among them that have been sent as often as asked."""
        with self._lock:
            return [*self._scripts.values()]

    def remove(self, script_id: int) -> bool:
        """Take one out; False when there is none with this id."""
        with self._lock:
            return self._scripts.pop(script_id, None) is not None

    def clear(self) -> None:
        """Take all out; ids go on counting."""
        with self._lock:
            self._scripts.clear()

    # ---- the issuer's side

    def due(self, hash_of_card: str) -> Script | None:
        """What the next approved chip answer of this card carries: one script an answer, DE 55 has little room."""
        if not self._scripts:
            return None
        with self._lock:
            mine = (s for s in self._scripts.values() if s.pan_hash == hash_of_card and s.sent < s.times)
            return next(mine, None)

    def sent(self, script_ids: Iterable[int], times: int = 1) -> None:
        """Count answers that carry them; -1 when such an answer is not to leave after all."""
        with self._lock:
            for script_id in script_ids:
                if script := self._scripts.get(script_id):
                    self._scripts[script_id] = replace(script, sent=max(0, script.sent + times))
