"""Known deviations of terminals, one small file each, and how they are named in a set-up or a scenario.

    firmware = with_bugs(("rev-drop-n", "stan-late"))

Source: failure-catalogue.md, section 4 (planted bugs) and the last column of section 2.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from terminal_sim.bugs import (
    admin_clear,
    asked_amount,
    chip_declined,
    clear_on_send,
    closed_is_unsettled,
    cross_accept,
    daycut_carry,
    flag_without_rc,
    full_ignored,
    ignore_95,
    late_accept,
    local_force_settle,
    mac_declined,
    mark_after_send,
    no_rev,
    number_late,
    old_mac,
    oldest_overwritten,
    one_read_framing,
    over_completes,
    partial_frame,
    pending_77,
    print_then_clear,
    reprint_unmarked,
    restart_upload,
    rev_at_timeout,
    rev_clear_first,
    rev_drop_n,
    rev_new_stan,
    rev_next_sale,
    rev_only_00,
    row_first,
    row_kept,
    row_twice,
    saf_total,
    short_stan,
    stan_late,
    stream_off,
    tip_after_close,
    void_marks,
    voids_archived,
)
from terminal_sim.bugs.bug import Bug as Bug
from terminal_sim.errors import ConfigError
from terminal_sim.firmware import REFERENCE, Firmware

BUGS: Mapping[str, Bug] = {
    module.BUG.name: module.BUG
    for module in (
        rev_clear_first,
        rev_drop_n,
        rev_only_00,
        row_kept,
        admin_clear,
        mark_after_send,
        flag_without_rc,
        restart_upload,
        print_then_clear,
        stan_late,
        local_force_settle,
        daycut_carry,
        late_accept,
        one_read_framing,
        rev_next_sale,
        no_rev,
        rev_at_timeout,
        mac_declined,
        asked_amount,
        row_twice,
        row_first,
        chip_declined,
        rev_new_stan,
        clear_on_send,
        number_late,
        ignore_95,
        saf_total,
        tip_after_close,
        oldest_overwritten,
        pending_77,
        void_marks,
        old_mac,
        cross_accept,
        reprint_unmarked,
        closed_is_unsettled,
        partial_frame,
        full_ignored,
        short_stan,
        voids_archived,
        over_completes,
        stream_off,
    )
}
"""By name, in the order of the catalogue's list."""


def known(name: str) -> Bug:
    """The bug of this name. Raises: ConfigError with the nearest name."""
    if name in BUGS:
        return BUGS[name]
    near = get_close_matches(name, BUGS, n=1, cutoff=0.4)
    raise ConfigError(f"no bug {name!r} is known{f': did you mean {near[0]}?' if near else ''}")


def with_bugs(names: Iterable[str], firmware: Firmware = REFERENCE) -> Firmware:
    """The firmware with these deviations, each applied to what the ones before have made of it.

    Raises: ConfigError for an unknown name.
    """
    for name in names:
        firmware = known(name).apply(firmware)
    return firmware
