"""`acquirer-host faults add|list|rm|clear`: fault rules of a running host, through its API.

What the host refuses is told by the option that said it, not by the key of the rule.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable, Mapping
from http.client import HTTPException, InvalidURL
from typing import Any

from host.commands.reading import Shape
from host.errors import ConfigError, HostError

_TIMEOUT_S = 5.0
_MATCH = ("tid", "mti", "kind", "stan", "amount", "nth")
_TEXTS = ("tid", "rc", "sizes", "text")
_KNOWN = frozenset({"id", "name", "action", "at", "phase", "match", "times", "probability", "seed", "seen", "fired"})
"""Keys of a rule that are said elsewhere in its line; the others are parameters."""
_OPTION_OF = {"/delay_s": "--delay", "/action": "ACTION"}
"""Key of a rule -> the option that says it, where the two differ."""


class NoHost(HostError):
    """Nobody answers at the address of the API: the rule was not set."""


def add(base: str, action: str, given: Mapping[str, object], more: Iterable[str] = ()) -> str:
    """Set one rule; its id. given: option -> value, without those that were left out. more: KEY=VALUE of other
    parameters. Raises ConfigError, NoHost."""
    match = {key: value for key, value in given.items() if key in _MATCH}
    rest = {("delay_s" if key == "delay" else key): value for key, value in given.items() if key not in _MATCH}
    rest |= dict(map(_param, more))
    made = _call(base, "POST", "/faults", {"action": action, "match": match} | rest)
    return str(made["id"])


def _param(text: str) -> tuple[str, object]:
    """A parameter of the catalogue. What reads as a number is one, but for the texts that may look like one."""
    key, mark, value = text.partition("=")
    if not (key and mark):
        raise ConfigError(f"--set {text}: expected KEY=VALUE")
    if key in _TEXTS:
        return key, value
    try:
        return key, float(value) if "." in value else int(value)
    except ValueError:
        return key, value


def listing(base: str, *, as_json: bool) -> str:
    """The rules with how often each has matched and struck. Raises NoHost."""
    items = _call(base, "GET", "/faults")["items"]
    if as_json:
        return json.dumps(items, ensure_ascii=False, indent=2)
    return "\n".join(map(_line, items)) if items else "no faults: every answer goes out as it is"


def remove(base: str, rule: int) -> str:
    """Take one rule back. Raises ConfigError when there is none, NoHost."""
    _call(base, "DELETE", f"/faults/{rule}")
    return f"fault {rule} removed"


def clear(base: str) -> str:
    """Take all rules back. Raises NoHost."""
    _call(base, "DELETE", "/faults")
    return "all faults removed"


def _line(rule: Shape) -> str:
    match = " ".join(f"{key}={value}" for key, value in rule["match"].items()) or "every request"
    more = [f"{key} {rule[key]}" for key in rule if key not in _KNOWN]
    more += [f"at {rule['at']}"] if "/" in rule["at"].partition("/")[2] or "#" in rule["at"] else []
    if rule["probability"] < 1:
        more.append(f"probability {rule['probability']} seed {rule['seed']}")
    times = f"{rule['fired']} of {rule['times'] or 'any number of'} times"
    said = ", ".join([f"{rule['name']} {rule['phase']}", *more])
    return f"{rule['id']:>4}  {said}  on {match}  struck {times}, matched {rule['seen']}"


def _call(base: str, method: str, path: str, body: Mapping[str, object] | None = None) -> Shape:
    url = f"{base}/api/v1{path}"
    data = None if body is None else json.dumps(body).encode()
    try:
        request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:
            found: Any = json.loads(answer.read() or b"{}")
            assert isinstance(found, dict)
            return found
    except urllib.error.HTTPError as error:
        raise ConfigError(_refused(error)) from None
    except (urllib.error.URLError, InvalidURL, OSError, ValueError) as error:
        raise NoHost(f"no host answers at {base}: {getattr(error, 'reason', error)}") from None
    except HTTPException:  # its words are the bytes of whoever is there
        raise NoHost(f"no host answers at {base}: what is there does not speak HTTP") from None


def _refused(error: urllib.error.HTTPError) -> str:
    """What the host did not like, by the name of the option."""
    try:
        problem = json.loads(error.read())
        why, where = str(problem["detail"]), str(problem.get("where", ""))
    except (ValueError, KeyError, TypeError):
        return f"the host says {error.code}"
    if error.code != 422 or not where.startswith("/"):
        return why
    return f"{_OPTION_OF.get(where, '--' + where.rpartition('/')[2])}: {why}"
