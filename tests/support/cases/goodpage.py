"""Kits that every verifier must accept: signatures, roots, manifests."""

from __future__ import annotations

import json
from typing import Any

from tests.support.assembler import OWN, TOOLS, Draft, assemble, blob
from tests.support.drafts import (
    ONE_SIGNER,
    STRANGE,
    TWO_KEYS,
    even_root,
    filled,
    nested,
    sha512_of_roots,
    wide,
    with_key,
)
from tests.support.hooks import add, both, put, sign
from tests.support.naive import Entry
from tests.support.people import (
    SIGNER,
    chain,
    compact,
    person,
    root_line,
    sign_root,
    signed_root,
)
from tests.support.vector import Case, ok

LIMITS = {
    "name": "n" * 64,
    "version": "V" + "1" * 63,
    "line": "l/" * 32,
    "sequence": 2**40,
    "summary": "\u00e9" * 500,
    "expires": "2028-02-29T23:59:59Z",
    "supersedes": ["0" * 64, "f" * 64],
}

LIST = Entry(b"evidence/evidence.index", b"a list of evidence\n", b"evidence")
INDEXES = ("subject.0", "predicate.index")
ALGORITHMS = dict.fromkeys(("a", "b2", "c-3", "d_4", "e", "f" * 32), "0f") | {"g": "0f" * 128}


def note(root: dict[str, Any]) -> bytes:
    """Return a root whose entries of signatures have members that nobody knows."""
    for entry in root["signatures"]:
        entry["x-when"] = {"day": 1}
    return compact(root)


DAVE = {**person("mallory").key, SIGNER: "dave"}
NOTED = note(json.loads(root_line()))
SPELLED = sign_root({**signed_root(), "spec_version": "1.0.0031", "consistent_snapshot": True})
KEY_IDS = with_key("!" * 128, DAVE, "targets", more={"~": {**person("sums").key, SIGNER: "erin"}})
NO_POINT = with_key("cc", {**DAVE, "keyval": {"public": "02" + "00" * 31}}, "targets")
CORRIGENDUM = with_key(
    "cc",
    {**DAVE, SIGNER: "\U0002f868"},
    "targets",
    more={"dd": {**person("sums").key, SIGNER: "\u36fc"}},
)

TRUST: list[Case] = [
    ok(
        "signed_by_three",
        "4.6",
        "One signer more than the threshold wants.",
        lambda: assemble(Draft(signers=("alice", "bob", "carol"))),
    ),
    ok(
        "surplus_left_out",
        "4.7",
        "The kit of `signed_by_three` without the signature of alice.",
        lambda: assemble(Draft(signers=("bob", "carol"))),
    ),
    ok(
        "signer_with_two_keys",
        "4.6 5.4",
        "Both keys of alice count once, and bob has signed too.",
        lambda: assemble(
            Draft(chain=chain(TWO_KEYS)),
            **sign(lambda m, good: sorted([*good, ("aa", person("mallory").sign(m))])),
        ),
        root=TWO_KEYS,
    ),
    ok(
        "threshold_of_one",
        "4.6",
        "The root wants one signer.",
        lambda: assemble(Draft(chain=chain(ONE_SIGNER), signers=("carol",))),
        root=ONE_SIGNER,
    ),
    ok(
        "root_file_largest",
        "5.1",
        "The pinned file has 65,536 bytes, most of them white space.",
        assemble,
        root=root_line().ljust(65_536),
    ),
    ok(
        "root_signature_more_members",
        "5.2",
        "Members of an entry of signatures beside keyid and sig are kept and ignored.",
        lambda: assemble(Draft(chain=chain(NOTED))),
    ),
    ok(
        "root_spec_version_four_digits",
        "5.3",
        "spec_version 1.0.0031, and consistent_snapshot true.",
        lambda: assemble(Draft(chain=chain(SPELLED))),
        root=SPELLED,
    ),
    ok(
        "key_ids_of_1_and_128",
        "5.4",
        "A key id of 128 characters, and one of 1.",
        lambda: assemble(Draft(chain=chain(KEY_IDS))),
        root=KEY_IDS,
    ),
    ok(
        "key_ed25519_no_point",
        "4.5 5.4",
        "A key of 64 digits that are no Ed25519 point: no signature is valid under it.",
        lambda: assemble(Draft(chain=chain(NO_POINT))),
        root=NO_POINT,
    ),
    ok(
        "key_signer_corrigendum_4",
        "5.4 6.4",
        "Signers U+2F868 and U+36FC, which are two in Unicode 3.2 (one from Corrigendum 4 on).",
        lambda: assemble(Draft(chain=chain(CORRIGENDUM))),
        root=CORRIGENDUM,
    ),
    ok(
        "scheme_not_evaluated",
        "4.5 5.4",
        "The root also names a key of a scheme that nobody knows.",
        lambda: assemble(Draft(chain=chain(STRANGE))),
        root=STRANGE,
    ),
    ok(
        "signature_not_evaluated",
        "4.5 4.6 4.7",
        "A third signature is by a key of an unknown scheme: it counts for nothing.",
        lambda: assemble(
            Draft(chain=chain(STRANGE)), signatures=lambda good: sorted([*good, ("bb", b"?")])
        ),
        root=STRANGE,
    ),
    ok(
        "root_spelled_freely",
        "5.6",
        "The pinned file is another spelling of the root that the kit brings.",
        assemble,
        root=b" " + root_line().replace(b",", b", "),
    ),
    ok(
        "root_without_padding",
        "5.1",
        "The line of the root with its LF fills its blocks.",
        lambda: assemble(Draft(chain=chain(even_root()))),
        root=even_root(),
    ),
    ok(
        "expect_matches",
        "12.5",
        "The kit that was expected.",
        assemble,
        args=("--expect", "vector@1"),
    ),
]

MANIFEST: list[Case] = [
    ok(
        "page_256_kib",
        "4.1 4.8",
        "A manifest that needs a page of 262,144 bytes.",
        lambda: assemble(wide(120, 262_144)),
    ),
    ok(
        "page_1_mib",
        "4.1 4.8",
        "A manifest that needs a page of 1,048,576 bytes.",
        lambda: assemble(wide(400, 1_048_576)),
    ),
    ok(
        "page_payload_largest",
        "4.1",
        "A payload of exactly 3/8 of the page.",
        lambda: filled(24_576),
    ),
    ok(
        "unknown_fields",
        "9.7",
        "Members of the predicate that nobody knows yet.",
        lambda: assemble(
            statement=both(
                put("predicate.x-new", {"deep": [1, None]}), put("predicate.kit.x-new", True)
            )
        ),
    ),
    ok(
        "json_escapes",
        "3.1",
        "Every kind of escape that compact JSON has.",
        lambda: assemble(
            statement=put("predicate.x", '"\\\b\f\n\r\t\0\x7f/\u00e9\u2028\U0001f600')
        ),
    ),
    ok(
        "json_depth_64",
        "3.2",
        "Nesting of exactly 64.",
        lambda: assemble(statement=put("predicate.x", nested(62))),
    ),
    ok(
        "json_largest_integers",
        "3.1",
        "2^53 - 1 and its negative.",
        lambda: assemble(statement=put("predicate.x", [2**53 - 1, 1 - 2**53])),
    ),
    ok(
        "digest_sha512",
        "9.3",
        "Second digests of an algorithm that verifiers know, and they are right.",
        lambda: assemble(statement=sha512_of_roots),
    ),
    ok(
        "evidence_index",
        "9.4",
        "evidenceIndex has the size and the digest of the member.",
        lambda: assemble(
            Draft((*OWN, LIST, *TOOLS)),
            statement=put("predicate.evidenceIndex", blob(LIST.data)),
        ),
    ),
    ok(
        "subject_member",
        "9.4",
        "A primary artifact is a member, and one is not.",
        lambda: assemble(
            statement=add(
                "subject",
                {"name": TOOLS[0].path.decode(), "digest": blob(TOOLS[0].data)["digest"]},
                {"name": "registry/image:1", "digest": {"sha256": "00" * 32}},
            )
        ),
    ),
    ok(
        "digest_limits",
        "9.3",
        "Eight algorithms, names of 1 and 32 characters, values of 2 and 256 digits.",
        lambda: assemble(
            statement=both(
                *(put(f"{at}.digest.{a}", v) for at in INDEXES for a, v in ALGORITHMS.items())
            )
        ),
    ),
    ok(
        "digest_unknown",
        "9.3",
        "A second digest of an algorithm that nobody knows.",
        lambda: assemble(
            statement=both(put("subject.0.digest.x9", "00"), put("predicate.index.digest.x9", "00"))
        ),
    ),
    ok(
        "kit_limits",
        "9.2 9.6",
        "Every member of `kit`, each at its limit.",
        lambda: assemble(Draft(kit=LIMITS)),
    ),
    ok(
        "created_first",
        "7.2 9.6",
        "Created at 1970-01-01T00:00:00Z.",
        lambda: assemble(Draft(kit={"created": "1970-01-01T00:00:00Z"})),
    ),
    ok(
        "created_last",
        "7.2 9.6",
        "Created at the last moment that eleven octal digits hold.",
        lambda: assemble(Draft(kit={"created": "2242-03-16T12:56:31Z"})),
    ),
    ok(
        "exemptions",
        "9.2",
        "Exemptions, one of them for what is not there.",
        lambda: assemble(
            statement=put(
                "predicate.exemptions", [{"paths": ["tools/doc.txt", "gone"], "reason": "why"}]
            )
        ),
    ),
    ok(
        "subjects_102",
        "9.2",
        "100 primary artifacts behind the two fixed subjects.",
        lambda: assemble(
            statement=add(
                "subject",
                *({"name": f"a{i}", "digest": {"sha256": f"{i:064x}"}} for i in range(100)),
            )
        ),
    ),
]

CASES: list[Case] = [*TRUST, *MANIFEST]
