"""`acquirer-host config init|check|schema`: a commented file to start from, one line about the first mistake in it."""

from __future__ import annotations

import json
from pathlib import Path

from host.config import Configuration, read, ready
from host.errors import ConfigError
from specs.endpoint import parse

TEMPLATE = """\
# Configuration of acquirer-host: `acquirer-host serve --config closeout.toml`. Every key is optional; what stands
# behind a # is the default, for merchants, terminals, cards and BINs an example. `acquirer-host config check FILE`
# names the first mistake; `config schema` prints the JSON schema for editors. A variable CLOSEOUT_NAME
# (CLOSEOUT_LIMITS__AMOUNT_MAX for [limits]) wins over the file, the command line over both. Amounts are minor units.

# listen = ["cup://127.0.0.1:8583", "nac://127.0.0.1:8584", "iso87://127.0.0.1:8585"]
# api = "127.0.0.1:8580"
# store = "sqlite:///closeout.db"
# provisioning = "auto"        # auto: any terminal may dial in; strict: only those below
# terminal_reset = "epoch"     # what a re-flashed terminal does: epoch (auto) or keep (strict)
# timezone = "Asia/Shanghai"   # of the host's clock; the machine's if absent
# cutoff = "23:00"             # when the business date turns and open batches are closed
# currency = "156"             # ISO 4217, three digits, of merchants and terminals that state none
# magic = true                 # amounts 1,000.01-1,000.99 answer their last two digits, 1,001.01-1,001.12 are faults
# unknown_cards = "accept"     # any card with a right check digit has no limit; refuse: 14
# host_only = "fund-and-flag"  # an item that only the host has at the close: fund-and-flag or suspense
# acquirer_code = "48020000"   # DE 32
# issuer_code = "01020000"     # DE 44

# [limits]
# amount_max = 999999999999    # above it 61
# issuer_timeout_s = 20        # below the terminals' own timeout, so that the host answers first
# cutoff_grace_s = 900         # a dispute that moves is left alone so long after its last message
# cutoff_grace_max_s = 3600    # and at most so long after the cutoff
# stale_days = 3               # an unsettled batch alarms after so many days, 0 = never
# frame_bytes = 8192           # a longer frame ends its line; the dialect may allow less (docs/network.md has them all)
# frame_s = 60                 # from the first to the last byte of a frame
# idle_s = 300                 # a line that says nothing is closed, 0 = never
# handshake_s = 10             # for the TLS handshake
# closing_s = 30               # for the last answers of a line that is to be closed; above issuer_timeout_s
# connections = 15000          # open lines in all; fewer where the limit of open files asks for it
# connections_per_address = 0  # 0 = no limit of its own
# in_flight_per_connection = 256   # requests without an answer; further ones are not read yet
# write_buffer_bytes = 262144  # answers that a terminal does not read, then its line is reset
# queue = 20000                # requests that wait for the writer, beyond it 96
# wire_log_rows = 1000000      # messages that are kept (`db prune`), 0 = all
# wire_log_days = 30           # and for how long, 0 = for ever

# [[merchant]]
# mid = "123456789012345"
# name = "Corner Shop"         # on slips and in parameter downloads
# currency = "156"

# [[terminal]]
# tid = "12345678"             # 8 characters
# mid = "123456789012345"
# dialect = "cup"
# tmk = "0123456789ABCDEFFEDCBA9876543210"   # test keys only; the documented test key if absent

# [[card]]                     # beside the documented test cards
# name = "staff"
# pan = "6222021234567890128"
# expiry = "3012"
# class = "debit"              # credit, debit, foreign or qr
# pin = "1234"
# balance = 50000

# [[bin]]                      # first digits, low to high, both of one length; longest first
# low = "622202"
# high = "622203"
# organisation = "CUP"         # as in DE 63; CUP is the domestic side
# class = "debit"
"""


def init(path: Path) -> str:
    """Write the commented file. Raises: ConfigError when it exists already or cannot be written."""
    try:
        with path.open("x", encoding="utf8") as file:
            file.write(TEMPLATE)
    except FileExistsError:
        raise ConfigError(f"{path}: exists already, and is left as it is") from None
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}") from error
    return f"{path} written: every key is there, commented out"


def check(path: Path) -> str:
    """Read it as `serve` would, listener URLs too. Raises: ConfigError or SpecError, one line."""
    found = read(path)
    ready(found)
    for url in found.listen:
        parse(url)
    parts = (
        (len(found.listen), "listener"),
        (len(found.merchant), "merchant"),
        (len(found.terminal), "terminal"),
        (len(found.card), "card"),
        (len(found.bin), "BIN range"),
    )
    counted = [f"{count} {name}{'' if count == 1 else 's'}" for count, name in parts if count]
    said = ", ".join(counted if found.listen else ["the usual listeners", *counted])
    return f"{path}: good; {said}; provisioning {found.provisioning}"


def schema() -> str:
    """The JSON schema of the file, for editors."""
    return json.dumps(Configuration.model_json_schema(by_alias=True), indent=1)
