"""sigstore-python, sigstore's verifier for JavaScript and cosign judge the bundles that tests make.

Good ones of every kind, and some hundred with one small change.  Where a judge differs, its row
below says why; whatever else differs is a fault of one of us.
"""

from __future__ import annotations

import functools
import json
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.hostile.bundle_fuzz import Item, one
from tests.support.bundlebends import WISHES, Bend, every_bend
from tests.support.bundles import ARTIFACT, ISSUER, NAME, b64, make_bundle, text, world
from tests.support.certificates import pem

JS = Path(__file__).parent / "js"
# one change in so many, and how many of them are refused at least
FEW, MANY = (293, 40), (37, 300)
Judge = Callable[[Sequence[Item]], list[str]]
"""Returns for each item ``good``, or what the judge says against it."""

# Kinds that a judge does not know.
UNKNOWN = {
    "python": {
        "message, by a key": "takes no keys",
        "Rekor v2, by a key": "takes no keys",
        "intoto": "knows no such entry",
        "hashedrekord of a statement": "only from Rekor v2",
    },
    "javascript": {
        "hashedrekord of a statement": "compares the digest with the payload's",
        "Rekor v2, by a key": "compares the digest with the payload's",
    },
    "cosign": {},
}

# What a judge accepts and we do not: our code, what was changed, and why that is no fault.
MORE_LENIENT: dict[str, list[tuple[str, str, str]]] = {
    "python": [
        (r"timestamp-|certificate-", r"^promise.* timestamp", "passes over a bad timestamp"),
        (r"-malformed|-unknown", r"certificates\.[12]|signedTimestamp", "does not read them"),
        (r"timestamp-", r"signedTimestamp/1/1/0/(4/0/[24]|0|1|2)", "ignores algorithms' names"),
        (r"timestamp-malformed", r"signedTimestamp.*( a long length| another tag)", "reads BER"),
        (r"checkpoint-", r"checkpoint\.envelope", "ignores lines that are no signature"),
        (r"evidence-malformed", r"padding|spelling", "reads other spellings of base64"),
        (r"evidence-malformed", r"keyid|hint|publicKey", "does not look there"),
        (r"evidence-|log-entry-", r"logged, .*", "its models fill in what is absent"),
    ],
    "javascript": [
        (r"-malformed|-unknown", r"", "reads BER and base64 of any spelling, fills in the absent"),
        (r"log-entry-mismatch", r"logged, ", "does not compare who signed"),
        (r"checkpoint-mismatch", r"treeSize|rootHash", "does not read them, but the checkpoint"),
        (r"certificate-untrusted", r"a long length", "reads BER, and checks what it writes again"),
    ],
    "cosign": [
        (r"log-entry-mismatch", r"kindVersion", "reads the entry alone"),
        (r"timestamp-", r"signedTimestamp/1/1/0/(4/0/[24]|0|1|2)", "ignores algorithms' names"),
        (r"checkpoint-mismatch", r"treeSize|rootHash", "does not read them, but the checkpoint"),
    ],
}


def name_of(item: Item) -> str:
    kind, logged, bend = item
    return f"{kind}: {'logged, ' * logged}{bend.where} {bend.what}"


def is_known_to_pass(name: str, item: Item, code: str) -> bool:
    return any(
        re.search(ours, code) and re.search(where, name_of(item))
        for ours, where, _ in MORE_LENIENT[name]
    )


def originals() -> list[Item]:
    """Return a good bundle of each kind."""
    return [(kind, False, Bend("", "", text(make_bundle(wish)))) for kind, wish in WISHES.items()]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sigstore") / "trusted_root.json"
    path.write_bytes(text(world().trusted_root()))
    return path


# --- the judges ---------------------------------------------------------------------------------


@pytest.fixture
def python(root: Path) -> Judge:
    """Return sigstore-python, in this process; it asks no network with what it is given."""
    from sigstore.models import Bundle, TrustedRoot  # a third of a second
    from sigstore.verify import Verifier
    from sigstore.verify.policy import Identity

    verifier = Verifier(trusted_root=TrustedRoot.from_file(str(root)))
    who = Identity(identity=NAME, issuer=ISSUER)

    def judge(item: Item) -> str:
        kind, _, bend = item
        try:
            bundle = Bundle.from_json(bend.bundle)
            if WISHES[kind].statement is None:
                verifier.verify_artifact(ARTIFACT, bundle, who)
            else:
                verifier.verify_dsse(bundle, who)
        except Exception as error:  # each of its parts has exceptions of its own
            return f"{type(error).__name__}: {error}"[:200]
        return "good"

    return lambda items: [judge(item) for item in items]


@pytest.fixture
def javascript(root: Path) -> Judge:
    """Return `@sigstore/verify`, if node and its packages are there."""
    node = shutil.which("node")
    if node is None or not (JS / "node_modules" / "@sigstore" / "verify").is_dir():
        pytest.skip(f"not run: node is not installed, or `npm ci` has not been run in {JS}")

    def line(item: Item) -> str:
        kind, _, bend = item
        key = {"key": pem(WISHES[kind].key)}
        who = key if WISHES[kind].by_key else {"identity": NAME, "issuer": ISSUER}
        return json.dumps({"bundle": b64(bend.bundle), "artifact": b64(ARTIFACT), **who}) + "\n"

    def judge(items: Sequence[Item]) -> list[str]:
        done = subprocess.run(
            [node, JS / "bundles.mjs", root],
            input="".join(map(line, items)),
            capture_output=True,
            text=True,
            timeout=300,
            check=True,
        )
        return done.stdout.splitlines()

    return judge


def ask_cosign(cosign: Path, root: Path, place: Path, item: Item) -> str:
    kind, _, bend = item
    wish = WISHES[kind]
    (place / "bundle.json").write_bytes(bend.bundle)
    (place / "key.pub").write_text(pem(wish.key))
    (place / "artifact").write_bytes(ARTIFACT)
    command: list[Any] = [cosign, "verify-blob"]
    if wish.statement is not None:
        command = [cosign, "verify-blob-attestation", "--type", "slsaprovenance1"]
    command += ["--bundle", place / "bundle.json", "--trusted-root", root]
    if "v2." in cosign.name:
        command.append("--new-bundle-format")
    if wish.by_key:
        command += ["--key", place / "key.pub"]
    else:
        command += ["--certificate-identity", NAME, "--certificate-oidc-issuer", ISSUER]
    if wish.form == ("hashedrekord", "0.0.2"):
        command.append("--use-signed-timestamps")
    done = subprocess.run(
        [*command, place / "artifact"],
        capture_output=True,
        text=True,
        cwd=place,
        timeout=60,
        check=False,
    )
    return "good" if done.returncode == 0 else done.stderr[-300:]


# --- good bundles -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["python", "javascript"])
def test_judge_accepts_what_we_accept(name: str, request: pytest.FixtureRequest) -> None:
    judge: Judge = request.getfixturevalue(name)
    items = originals()
    for item, said in zip(items, judge(items), strict=True):
        assert (said == "good") is (item[0] not in UNKNOWN[name]), (item[0], said)


@pytest.mark.slow
def test_cosign_accepts_what_we_accept(cosign: Path, root: Path, tmp_path: Path) -> None:
    for item in originals():
        said = ask_cosign(cosign, root, tmp_path, item)
        known = "v3" in cosign.name and item[0] == "hashedrekord of a statement"
        assert (said == "good") is not known, (item[0], said)  # v3 takes it from Rekor v2 only


# --- changed ones -------------------------------------------------------------------------------


@functools.cache
def changed(share: int, least: int) -> list[tuple[Item, str]]:
    """Return changed bundles that we refuse, each with our code."""
    found = [(item, one(item)[0]) for item in every_bend(share)]
    refused = [(item, code) for item, code in found if not code.startswith("verified")]
    assert len(refused) > least
    return refused


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of theirs
@pytest.mark.parametrize("name", ["python", "javascript"])
@pytest.mark.parametrize("share", [FEW, pytest.param(MANY, marks=pytest.mark.long)], ids=repr)
def test_judge_refuses_what_we_refuse(
    name: str, share: tuple[int, int], request: pytest.FixtureRequest
) -> None:
    judge: Judge = request.getfixturevalue(name)
    known = [(item, code) for item, code in changed(*share) if item[0] not in UNKNOWN[name]]
    wrong, agreed = [], 0
    for (item, code), said in zip(known, judge([item for item, _ in known]), strict=True):
        if said != "good":
            agreed += 1
        elif not is_known_to_pass(name, item, code):
            wrong.append(f"{name_of(item)}: we say {code}")
    assert "\n".join(wrong) == ""
    assert agreed > len(known) / 2


@pytest.mark.long
def test_cosign_refuses_what_we_refuse(cosign: Path, root: Path, tmp_path: Path) -> None:
    """A few of each code, since it takes a quarter of a second; not what is only spelling."""
    seen: dict[str, int] = {}
    for item, code in changed(*MANY):
        spelling = code.endswith("-malformed") or "unknown" in code or item[1]
        passed_over = item[0].startswith("promise") and "signedTimestamp" in item[2].where
        if spelling or passed_over or seen.setdefault(code, 0) >= 3:
            continue
        seen[code] += 1
        lenient = is_known_to_pass("cosign", item, code)
        assert lenient or ask_cosign(cosign, root, tmp_path, item) != "good", (name_of(item), code)
    assert len(seen) > 8
