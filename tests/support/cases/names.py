"""Names that do not mean the same file on every host (FORMAT 6.3 to 6.5)."""

from __future__ import annotations

from collections.abc import Sequence

from tests.support.assembler import OWN, Draft, assemble
from tests.support.naive import Entry
from tests.support.vector import Case, bad

UNSAFE, COLLIDE, MALFORMED = "member-path-unsafe", "member-paths-collide", "list-malformed"


def named(*paths: bytes) -> Draft:
    """Return a draft with a small member at each of these paths, below the component tools."""
    entries = [Entry(path, b"x") for path in sorted((b"tools/a", *paths))]
    return Draft((*OWN, *entries))


def path(name: str, why: str, raw: str | bytes, code: str = UNSAFE, rules: str = "6.3") -> Case:
    """Return a vector with one bad path."""
    data = raw if isinstance(raw, bytes) else raw.encode("utf-8")
    return bad(f"path_{name}", rules, code, why, lambda: assemble(named(data)))


def pair(name: str, why: str, one: str, other: str, rules: str = "6.4") -> Case:
    """Return a vector with two good paths that do not go together."""
    make = named(one.encode("utf-8"), other.encode("utf-8"))
    return bad(f"collision_{name}", rules, COLLIDE, why, lambda: assemble(make))


def reserved(names: Sequence[str]) -> list[Case]:
    """Return vectors with a payload at names that the kit keeps for itself."""
    return [
        path(
            f"reserved_{name.strip('/').replace('/', '_').replace('.', '_').lower()}",
            f"Payload at {name}.",
            name,
            MALFORMED,
            "6.5",
        )
        for name in names
    ]


PATHS = [
    path("absolute", "An absolute path.", "/etc/passwd"),
    path("climbs_out", "`..` first.", "../x"),
    path("climbs", "`..` inside.", "tools/../../x"),
    path("climbs_last", "`..` last.", "tools/.."),
    path("dot", "`.` as a component.", "tools/./x"),
    path("empty", "No path.", ""),
    path("empty_component", "Two slashes.", "tools//x"),
    path("directory", "A slash at the end.", "tools/x/"),
    path("drive", "A drive letter.", "C:/x"),
    path("stream", "A stream of NTFS.", "tools/x:y"),
    path("backslash", "A backslash.", "tools\\x"),
    path("backslash_climbs", "`..` between backslashes.", "tools/..\\..\\x"),
    path("unc", "A share of Windows.", "\\\\host\\share\\x"),
    path("star", "A star.", "tools/x*"),
    path("question_mark", "A question mark.", "tools/x?"),
    path("quote", "A double quote.", 'tools/"x'),
    path("less", "A less-than sign.", "tools/<x"),
    path("greater", "A greater-than sign.", "tools/>x"),
    path("pipe", "A vertical bar.", "tools/x|y"),
    path("nul", "NUL.", "tools/x\0y"),
    path("escape", "ESC.", "tools/x\x1b[2J"),
    path("tab", "A tab.", "tools/x\ty"),
    path("delete", "U+007F.", "tools/x\x7f"),
    path("c1_control", "U+0085, next line.", "tools/x\u0085y"),
    path("line_separator", "U+2028.", "tools/x\u2028y"),
    path("bidi_override", "U+202E turns what follows.", "tools/x\u202egpj.exe"),
    path("bidi_isolate_newer", "U+2066, which Unicode 3.2 does not have.", "tools/x\u2066y"),
    path("zero_width_joiner", "U+200D.", "tools/x\u200dy"),
    path("word_joiner", "U+2060.", "tools/x\u2060y"),
    path("byte_order_mark", "U+FEFF.", "tools/\ufeffx"),
    path("soft_hyphen", "U+00AD, which is shown at the end of a line only.", "tools/x\u00ady"),
    path("grapheme_joiner", "U+034F.", "tools/x\u034fy"),
    path("hangul_choseong_filler", "U+115F.", "tools/x\u115fy"),
    path("hangul_jungseong_filler", "U+1160.", "tools/x\u1160y"),
    path("khmer_vowel_aq", "U+17B4.", "tools/x\u17b4y"),
    path("khmer_vowel_aa", "U+17B5.", "tools/x\u17b5y"),
    path("mongolian_selector_first", "U+180B.", "tools/x\u180by"),
    path("mongolian_selector_last", "U+180D.", "tools/x\u180dy"),
    path("mongolian_separator", "U+180E.", "tools/x\u180ey"),
    path("zero_width_space", "U+200B, a space in Unicode 3.2.", "tools/x\u200by"),
    path("hangul_filler", "U+3164, a letter that is a blank.", "tools/x\u3164y"),
    path("variation_selector_first", "U+FE00.", "tools/x\ufe00y"),
    path("variation_selector_last", "U+FE0F, as behind an emoji.", "tools/x\ufe0fy"),
    path("hangul_filler_halfwidth", "U+FFA0.", "tools/x\uffa0y"),
    path("private_use", "U+E000.", "tools/x\ue000"),
    path("tag_character", "U+E0041.", "tools/x\U000e0041"),
    path("not_a_character", "U+FFFF.", "tools/x\uffff"),
    path("newer_letter", "U+1E9E, of Unicode 5.1.", "tools/\u1e9e"),
    path("newer_emoji", "U+1F600, of Unicode 6.1.", "tools/\U0001f600"),
    path("decomposed", "An accent as a character of its own.", "tools/cafe\u0301"),
    path("singleton", "U+212B, whose normal form is another letter.", "tools/\u212b"),
    path("surrogate", "A surrogate in UTF-8.", b"tools/\xed\xa0\x80"),
    path("not_utf8", "A byte that UTF-8 does not have.", b"tools/caf\xe9"),
    path("overlong", "A slash in two bytes.", b"tools/..\xc0\xaf..\xc0\xafx"),
    path("trailing_dot", "A dot at the end.", "tools/x."),
    path("trailing_dot_inside", "A dot at the end of a directory.", "tools/x./y"),
    path("trailing_space", "A space at the end of a directory.", "tools/x /y"),
    path("three_dots", "Three dots.", "tools/.../x"),
    path("device_con", "CON.", "tools/con"),
    path("device_case", "Aux, in any case.", "tools/aUX/x"),
    path("device_extension", "NUL with an extension.", "tools/nul.tar.gz"),
    path("device_space", "A space before the first dot.", "tools/PRN .txt"),
    path("device_com1", "COM1.", "tools/com1.log"),
    path("device_lpt9", "LPT9.", "tools/LPT9"),
    path("device_spaces", "Two spaces before the first dot.", "tools/nul  .x"),
    path("corrigendum_4", "U+2F868, which no normal form keeps.", "tools/\U0002f868"),
    path("device_superscript", "COM with a superscript two.", "tools/com\u00b2"),
    path("device_conin", "CONIN$.", "tools/conin$"),
    path("component_256", "A component of 256 bytes.", "tools/" + "n" * 256),
    path("component_256_utf8", "128 letters of two bytes.", "tools/" + "\u00e9" * 128),
    path("length_1025", "1,025 bytes.", "tools/" + "/".join(["n" * 255] * 3 + ["m" * 251])),
    path("depth_65", "65 components.", "/".join(["tools"] + ["d"] * 64)),
]

RESERVED = reserved(
    [
        *("kit.dsse.json", "KIT.ROOTS.JSON", "kit.index", "Kit.Frames"),
        *("sha256sums", "SHA256SUMS.SIG", "readme.txt", "Kit-Verify.pyz", "Verifier", "EVIDENCE/x"),
        "kit.index/x",
    ]
)

COLLISIONS = [
    pair("case", "Two paths that differ by case only.", "tools/Read", "tools/read"),
    pair(
        "case_directory",
        "Two directories that differ by case and one file name.",
        "tools/Doc/x",
        "tools/doc/X",
    ),
    pair("sharp_s", "U+00DF folds to ss.", "tools/stra\u00dfe", "tools/strasse"),
    pair("sigma", "Two small sigmas.", "tools/\u03c3", "tools/\u03c2"),
    pair("ligature", "A ligature folds to two letters.", "tools/\ufb01", "tools/fi"),
    pair(
        "accents", "Two letters with accents that differ by case.", "tools/\u00c9", "tools/\u00e9"
    ),
    pair(
        "deseret",
        "Letters above U+FFFF that differ by case.",
        "tools/\U00010400",
        "tools/\U00010428",
    ),
    pair("file_directory", "A file, and a directory of that name.", "tools/b", "tools/b/c"),
    bad(
        "collision_file_directory_between",
        "6.4",
        COLLIDE,
        "A file, and a directory of that name, with others between them.",
        lambda: assemble(named(b"tools/b", b"tools/b-c", b"tools/b.d", b"tools/b/c")),
    ),
    pair(
        "file_directory_case",
        "A file, and a directory that differs by case.",
        "tools/B",
        "tools/b/c/d",
    ),
]

CASES: list[Case] = [*PATHS, *RESERVED, *COLLISIONS]
