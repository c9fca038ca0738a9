"""Perl's tables of Unicode agree on which characters nobody sees (FORMAT 6.3)."""

from __future__ import annotations

import subprocess

from tests.conftest import Judge
from verifier.core.names import BAD_CATEGORIES, INVISIBLE, TABLES, printable

ASK = r"""
for my $c (0 .. 0x10FFFF) {
    next if $c >= 0xD800 && $c <= 0xDFFF;
    print "$c\n" if chr($c) =~ /\p{Default_Ignorable_Code_Point}/;
}
"""


def test_default_ignorable_characters_are_refused(judge: Judge) -> None:
    said = subprocess.run([judge("perl"), "-e", ASK], capture_output=True, text=True, check=True)
    ignorable = {chr(int(line)) for line in said.stdout.split()}
    assert len(ignorable) > 4000, "tags and variation selectors alone are so many"
    assert not any(map(printable, ignorable))
    by_category = {char for char in ignorable if TABLES.category(char) in BAD_CATEGORIES}
    listed = {chr(number) for first, last in INVISIBLE for number in range(first, last + 1)}
    assert listed == ignorable - by_category, "the list has these and no others"
