"""Kits that every verifier must accept: signatures, roots, manifests."""

from __future__ import annotations

from tests.support.assembler import Draft, assemble
from tests.support.drafts import (
    ONE_SIGNER,
    STRANGE,
    TWO_KEYS,
    even_root,
    filled,
    nested,
    sha512_of_roots,
    wide,
)
from tests.support.hooks import add, both, put, sign
from tests.support.people import chain, person, root_line
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
        "12.1",
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
