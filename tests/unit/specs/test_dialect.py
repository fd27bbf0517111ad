"""Dialect files: what the built-in ones say, what `extends` changes, and how a wrong file is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from specs.dialect import builtin, load, with_options
from specs.errors import DialectError

MINIMAL = 'extends = "nac"\n'


def write(folder: Path, text: str, name: str = "mybank.toml") -> str:
    path = folder / name
    path.write_text(text, "utf-8")
    return str(path)


def refused(path: str) -> DialectError:
    with pytest.raises(DialectError) as caught:
        load(path)
    return caught.value


def test_every_builtin_loads_and_is_cached() -> None:
    assert {"cup", "nac", "iso87", "iso93"} <= set(builtin())
    for name in builtin():
        assert load(name) is load(name)
        assert load(name).name == name


@pytest.mark.parametrize(
    ("name", "de", "notation"),
    [  # cup.md section 3, nac.md section 3, iso87.md section 2, iso93.md section 2
        ("cup", 2, "n..19"),
        ("cup", 36, "z...104"),
        ("cup", 44, "an..25"),
        ("cup", 48, "n...322"),
        ("cup", 52, "b64"),
        ("cup", 61, "n...29"),
        ("cup", 62, "b...512"),
        ("cup", 63, "ans...163"),
        ("nac", 24, "n3"),
        ("nac", 45, "ans..76"),
        ("iso87", 90, "n42"),
        ("iso87", 97, "x+n16"),
        ("iso87", 103, "ans..28"),
        ("iso93", 12, "n12"),
        ("iso93", 39, "n3"),
        ("iso93", 53, "b..48"),
    ],
)
def test_rows_say_what_the_protocol_says(name: str, de: int, notation: str) -> None:
    assert load(name).fields[de].describe() == notation


def test_the_four_traps_between_cup_and_nac() -> None:
    cup, nac = load("cup"), load("nac")
    assert (cup.fields[22].justify, nac.fields[22].justify) == ("left", "right")
    assert (cup.frame.header, nac.frame.header) == (6, 0)
    assert (cup.fields[60].encoding, nac.fields[60].encoding) == ("bcd", "ascii")
    assert not cup.encodings.secondary_bitmap
    assert 24 not in cup.fields


def test_card_data_is_marked_sensitive_in_every_dialect() -> None:
    for name in builtin():
        for de in {2, 14, 35, 36, 45, 52, 55} & set(load(name).fields):
            assert load(name).fields[de].sensitive, (name, de)


def test_a_variant_states_only_what_differs(tmp_path: Path) -> None:
    bank = load(
        write(
            tmp_path,
            """
            extends = "nac"
            title = "My bank"
            [frame]
            length = "bcd2"
            inclusive = true
            [profile]
            batch_number = "strict"
            [fields]
            22 = { justify = "left" }
            49 = { name = "currency", format = "an", max = 3 }
            48 = { absent = true }
            """,
        )
    )
    nac = load("nac")
    assert (bank.name, bank.title, bank.family) == ("mybank", "My bank", "nac")
    assert (bank.frame.length, bank.frame.inclusive, bank.frame.tpdu) == ("bcd2", True, True)
    assert dict(bank.profile) == {**nac.profile, "batch_number": "strict"}
    assert bank.fields[22].justify == "left"
    assert bank.fields[22].max == 3
    assert set(bank.fields) == set(nac.fields) - {48} | {49}


def test_a_variant_of_a_variant_lies_beside_it(tmp_path: Path) -> None:
    write(tmp_path, 'extends = "cup"\n[frame]\nheader = 0\n', "base.toml")
    leaf = load(write(tmp_path, 'extends = "./base.toml"\nname = "leaf"\n[frame]\ntpdu = false\n', "x.toml"))
    assert (leaf.name, leaf.frame.header, leaf.frame.tpdu) == ("leaf", 0, False)


@pytest.mark.parametrize(
    ("text", "file", "key", "why"),
    [
        (MINIMAL + "[frame]\nlenght = 'bin2'\n", "mybank.toml:3", "frame.lenght", "did you mean 'length'?"),
        (MINIMAL + "[frame]\n\nlength = 'bin3'\n", "mybank.toml:4", "frame.length", "bin2, bcd2, ascii4, none"),
        (MINIMAL + "[frame]\ntpdu = 1\n", "mybank.toml:3", "frame.tpdu", "true or false"),
        (MINIMAL + "[frame]\nheader = 5\n", "mybank.toml:3", "frame.header", "0, 6"),
        (MINIMAL + "[frame]\nmax_bytes = 100000\n", "mybank.toml:3", "frame.max_bytes", "65535"),
        (MINIMAL + "[encoding]\nmti = 'ebcdic'\n", "mybank.toml:3", "encoding.mti", "bcd, ascii"),
        (MINIMAL + "[profile]\nfamliy = 'nac'\n", "mybank.toml:3", "profile.famliy", "did you mean 'family'?"),
        (MINIMAL + "[profile]\nfamily = 'visa'\n", "mybank.toml:3", "profile.family", "cup, nac, iso87, iso93"),
        (MINIMAL + "[profile]\ndup_hours = '24'\n", "mybank.toml:3", "profile.dup_hours", "whole number"),
        (MINIMAL + "[fields]\n4 = 12\n", "mybank.toml:3", "fields.4", "row"),
        (MINIMAL + "[fields]\n4 = { maxx = 12 }\n", "mybank.toml:3", "fields.4", "did you mean 'max'?"),
        (MINIMAL + "[fields.4]\nformat = 'num'\n", "mybank.toml:2", "fields.4", "n, an, ans, b, z, x+n"),
        (MINIMAL + "[fields]\n5 = { name = 'x', format = 'n' }\n", "mybank.toml:3", "fields.5", "max is missing"),
        (MINIMAL + "[fields]\n1 = { name = 'x', format = 'n', max = 1 }\n", "mybank.toml:3", "fields.1", "2 to 128"),
        (MINIMAL + "[fields]\n65 = { name = 'x', format = 'n', max = 1 }\n", "mybank.toml:3", "fields.65", "2 to 128"),
        (MINIMAL + "[fields]\n02 = { max = 1 }\n", "mybank.toml:3", "fields.02", "2 to 128"),
        (MINIMAL + "[fields]\n2 = { max = 100 }\n", "mybank.toml:3", "fields.2", "1 to 99"),
        (MINIMAL + "[fields]\n64 = { max = 4 }\n", "mybank.toml:3", "fields.64", "a MAC"),
        (MINIMAL + "[fields]\n41 = { encoding = 'bcd' }\n", "mybank.toml:3", "fields.41", "cannot be encoded"),
        (MINIMAL + "[fields]\n2 = { filler = 'G' }\n", "mybank.toml:3", "fields.2", "filler"),
        (MINIMAL + "[encoding]\nsecondary_bitmap = false\n", "nac.toml:", "fields.70", "secondary_bitmap"),
        (MINIMAL + "[farme]\n", "mybank.toml:2", "farme", "did you mean 'frame'?"),
        ("extends = 'nca'\n", "mybank.toml:1", "extends", "did you mean 'nac'?"),
        ("extends = 3\n", "mybank.toml:1", "extends", "text"),
        ("[fields]\n", "mybank.toml", "profile.family", "missing"),
        ("extends = \n", "mybank.toml:1", "TOML", "value"),
        ("frame = 'bin2'\n", "mybank.toml:1", "frame", "table"),
    ],
)
def test_a_wrong_file_is_told_by_line_key_and_reason(tmp_path: Path, text: str, file: str, key: str, why: str) -> None:
    error = refused(write(tmp_path, text))
    assert error.file == file or (file.endswith(":") and error.file.startswith(file))
    assert error.key == key
    assert why in error.why


def test_a_circle_is_refused(tmp_path: Path) -> None:
    write(tmp_path, 'extends = "./b.toml"\n', "a.toml")
    error = refused(write(tmp_path, 'extends = "./a.toml"\n', "b.toml"))
    assert (error.key, "circle" in error.why) == ("extends", True)


def test_a_long_chain_is_refused(tmp_path: Path) -> None:
    write(tmp_path, 'extends = "nac"\n', "v0.toml")
    for i in range(1, 9):
        write(tmp_path, f'extends = "./v{i - 1}.toml"\n', f"v{i}.toml")
    assert load(str(tmp_path / "v6.toml")).family == "nac"
    assert "more than 8" in refused(str(tmp_path / "v8.toml")).why


def test_an_unknown_name_and_an_unreadable_file(tmp_path: Path) -> None:
    assert "did you mean 'iso87'?" in refused("iso78").why
    assert refused(str(tmp_path / "none.toml")).key == "file"
    (tmp_path / "latin.toml").write_bytes(b'title = "\xff"\n')
    assert "UTF-8" in refused(str(tmp_path / "latin.toml")).why
    assert "larger than" in refused(write(tmp_path, "#" * 300_000)).why


def test_listener_options() -> None:
    cup = load("cup")
    changed = with_options(cup, length="bcd2", inclusive=True, tpdu=False, header=0, strict=True)
    assert (changed.frame.length, changed.frame.inclusive, changed.frame.tpdu, changed.frame.header) == (
        "bcd2",
        True,
        False,
        0,
    )
    assert changed.strict
    assert changed.fields is cup.fields
    assert cup.frame.length == "bin2"
    assert not cup.strict
    assert with_options(changed).strict
    for wrong in ({"length": "bin4"}, {"header": 3}, {"max_bytes": 1}):
        with pytest.raises(DialectError):
            with_options(cup, **wrong)
