"""Provenance in the spellings of the builders that are met: GitHub's, generators', npm's, Google's.

The shapes are those that their services write; the keys, workflows and digests are of these tests.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from tests.support import bundles
from tests.support.attesting import (
    COMPONENT,
    OLD_PROVENANCE,
    PROVENANCE,
    attester,
    envelope,
    kit_with,
    sha256,
    statement,
)
from tests.support.bundles import Wish, make_bundle, signer_extensions, world
from tests.support.certificates import p256
from tests.support.hosting import CLOCK, Site, code, policy, rules
from verifier.core.errors import KitError
from verifier.core.pipeline import Job
from verifier.evidence.conditions import is_source
from verifier.evidence.statement import read_envelope
from verifier.host.accept import Host
from verifier.run import run
from verifier.show.report import render_text

V01 = "https://in-toto.io/Statement/v0.1"
HUB = "https://github.com/lnm/tools"
GCB = "https://cloudbuild.googleapis.com/GoogleHostedWorker"
GENERATOR = "https://github.com/slsa-framework/slsa-github-generator/.github/workflows/"
RUNNER = "https://github.com/actions/runner/github-hosted"
COMMIT = "a" * 40


def newer(builder: str, given: Any, *uris: str) -> dict[str, Any]:
    """Return provenance v1."""
    made = [{"uri": uri, "digest": {"gitCommit": COMMIT}} for uri in uris]
    definition = {"externalParameters": given, "resolvedDependencies": made}
    value = {"buildDefinition": definition, "runDetails": {"builder": {"id": builder}}}
    return statement(PROVENANCE, COMPONENT, predicate=value)


def older(builder: str, source: str | None, *uris: str, kind: str = OLD_PROVENANCE) -> Any:
    """Return provenance before v1."""
    value: dict[str, Any] = {
        "builder": {"id": builder},
        "materials": [{"uri": uri, "digest": {"sha1": COMMIT}} for uri in uris],
    }
    if source is not None:
        value["invocation"] = {"configSource": {"uri": source, "digest": {"sha1": COMMIT}}}
    else:
        value["recipe"] = {"type": "https://cloudbuild.googleapis.com/CloudBuildYaml@v0.1"}
    return statement(kind, COMPONENT, predicate=value, version=V01)


def workflow(repository: str = HUB, ref: str = "refs/heads/main") -> dict[str, Any]:
    """Return what GitHub says of a workflow that was started by hand, with inputs."""
    path = ".github/workflows/release.yml"
    return {"workflow": {"ref": ref, "repository": repository, "path": path}, "inputs": {"x": 1}}


MADE: dict[str, tuple[str, dict[str, Any], bool]] = {
    "generic generator, branch": (
        f"{GENERATOR}generator_generic_slsa3.yml@refs/tags/v1.9.0",
        older(
            f"{GENERATOR}generator_generic_slsa3.yml@refs/tags/v1.9.0",
            f"git+{HUB}@refs/heads/main",
            f"git+{HUB}@refs/heads/main",
        ),
        True,
    ),
    "generic generator, annotated tag": (
        f"{GENERATOR}generator_generic_slsa3.yml@refs/tags/v1.2.2",
        older(
            f"{GENERATOR}generator_generic_slsa3.yml@refs/tags/v1.2.2",
            f"git+{HUB}@refs/tags/v14.2.0",
        ),
        True,
    ),
    "another version of the generator": (
        f"{GENERATOR}generator_generic_slsa3.yml@refs/tags/v1.9.0",
        older(f"{GENERATOR}generator_generic_slsa3.yml@refs/tags/v1.2.2", f"git+{HUB}@refs/x"),
        False,
    ),
    "a fork's source": (
        f"{GENERATOR}builder_go_slsa3.yml@refs/tags/v1.9.0",
        older(
            f"{GENERATOR}builder_go_slsa3.yml@refs/tags/v1.9.0",
            "git+https://github.com/mallory/tools@refs/heads/main",
        ),
        False,
    ),
    "GitHub's attestation, by hand": (
        RUNNER,
        newer(RUNNER, workflow(), f"git+{HUB}@refs/heads/main"),
        True,
    ),
    "GitHub's attestation of another repository": (
        RUNNER,
        newer(RUNNER, workflow("https://github.com/lnm/tools-2"), f"git+{HUB}@refs/heads/main"),
        False,
    ),
    "container builder": (
        f"{GENERATOR}builder_container-based_slsa3.yml@refs/tags/v1.7.0",
        newer(
            f"{GENERATOR}builder_container-based_slsa3.yml@refs/tags/v1.7.0",
            {"source": {"uri": f"git+{HUB}@refs/heads/main"}, "configPath": "build.toml"},
        ),
        True,
    ),
    "delegator, source among the dependencies": (
        f"{GENERATOR}delegator_generic_slsa3.yml@refs/tags/v1.9.0",
        newer(
            f"{GENERATOR}delegator_generic_slsa3.yml@refs/tags/v1.9.0",
            {"inputs": {"rebuild": True}, "vars": {}},
            f"git+{HUB}@refs/tags/v1.0.0",
        ),
        True,
    ),
    "Cloud Build v0.1": (
        f"{GCB}@v0.2",
        older(
            f"{GCB}@v0.2", None, f"{HUB}/commit/{COMMIT}", kind="https://slsa.dev/provenance/v0.1"
        ),
        True,
    ),
    "Cloud Build v0.1, another's commit": (
        f"{GCB}@v0.2",
        older(
            f"{GCB}@v0.2", None, f"{HUB}-2/commit/{COMMIT}", kind="https://slsa.dev/provenance/v0.1"
        ),
        False,
    ),
    "Cloud Build v1": (
        GCB,
        newer(
            GCB,
            {"buildConfigSource": {"repository": f"git+{HUB}", "ref": "refs/heads/main"}},
            f"git+{HUB}@refs/heads/main",
        ),
        True,
    ),
    "Cloud Build v1, steps of somebody else": (
        GCB,
        newer(
            GCB,
            {"buildConfigSource": {"repository": "git+https://github.com/mallory/steps"}},
            f"git+{HUB}@refs/heads/main",
        ),
        False,
    ),
    "Cloud Build v1, source of somebody else": (
        GCB,
        newer(
            GCB,
            {
                "buildConfigSource": {"repository": f"git+{HUB}"},
                "sourceToBuild": {"repository": "git+https://github.com/mallory/tools"},
            },
            f"git+{HUB}@refs/heads/main",
        ),
        False,
    ),
}


def look(base: Path, documents: dict[str, bytes], who: dict[str, Any], **asked: Any) -> str:
    """Return the code that a host has for a kit."""
    site = Site(base)
    by = {"of": [who["name"]], "threshold": 1}
    wanted = {"component": "tools", "by": by, **asked}
    site.pin(policy=policy(attesters=[who], lines=rules(attestations=[wanted])))
    site.directory.add_trusted_roots([bundles.text(world().trusted_root())])
    kit = base / "kit.tar.zst"
    kit.write_bytes(kit_with(documents))
    report = run(str(kit), Job(), host=Host(site.directory, CLOCK, "0.1.0"))
    print(render_text(report))
    return code(report)


@pytest.mark.parametrize("name", MADE)
def test_builder_and_source_are_found_where_each_builder_says_them(
    name: str, tmp_path: Path
) -> None:
    builder, value, good = MADE[name]
    found = look(
        tmp_path,
        {"p.json": envelope(value, "alice")},
        attester("alice"),
        predicateType=value["predicateType"],
        builderId=builder,
        sourceUri=HUB,
    )
    assert found == ("" if good else "attestation-false")


def test_what_stands_behind_a_source() -> None:
    for rest in ("", "/", "@refs/tags/v1", f"/commit/{COMMIT}"):
        assert is_source(HUB, f"git+{HUB}{rest}"), rest
    for rest in (
        "-2",
        f"/commit/{COMMIT}/x",
        f"/commit/{COMMIT[1:]}",
        "/commit/main",
        ".git",
        "/x",
    ):
        assert not is_source(HUB, HUB + rest), rest
    assert not is_source("https://github.com", f"https://github.com/commit/{COMMIT}")


# --- envelopes -----------------------------------------------------------------------------------


def other_alphabet(data: bytes) -> bytes:
    """Return an envelope as Cloud Build has it: base64 of RFC 4648, 5."""
    value = json.loads(data)
    for each in (value, *value["signatures"]):
        for name in {"payload", "sig"} & each.keys():
            each[name] = base64.urlsafe_b64encode(base64.b64decode(each[name])).decode("ascii")
    return bundles.text(value)


def in_both() -> bytes:
    """Return a signed envelope whose payload has characters in which the alphabets differ."""
    value = MADE["Cloud Build v1"][1]
    value = {**value, "predicate": {**value["predicate"], "note": "??>>~~\u00ff\u00fe" * 3}}
    made = envelope(json.dumps(value, ensure_ascii=False).encode("utf-8"), "alice")
    text = json.loads(made)["payload"]
    assert "+" in text or "/" in text
    return made


def test_either_alphabet_is_read_and_no_mixture() -> None:
    made = in_both()
    same = read_envelope(other_alphabet(made), "a")
    assert same == read_envelope(made, "a")
    value = json.loads(made)
    value["payload"] = "-+__" + value["payload"]
    with pytest.raises(KitError) as refused:
        read_envelope(bundles.text(value), "a")
    assert refused.value.code == "evidence-malformed"


def test_signed_in_the_other_alphabet(tmp_path: Path) -> None:
    found = look(
        tmp_path,
        {"p.json": other_alphabet(in_both())},
        attester("alice"),
        predicateType=PROVENANCE,
        builderId=GCB,
    )
    assert found == ""


def test_certificate_beside_a_signature_proves_nothing(tmp_path: Path) -> None:
    """Generators before bundles: the certificate lies in the envelope, and the log is not here."""
    value = json.loads(envelope(MADE["generic generator, branch"][1], "mallory"))
    value["signatures"][0]["cert"] = (
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
    )
    found = look(
        tmp_path,
        {"b.intoto.jsonl": bundles.text(value)},
        attester("alice"),
        predicateType=OLD_PROVENANCE,
    )
    assert found == "attestation-untrusted"


# --- who ran the workflow ------------------------------------------------------------------------

_TAG, _BRANCH = f"{HUB}/.github/workflows/r.yml@refs/tags/v1.0.0", f"{HUB}/.github/workflows/r.yml"


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (_TAG, ""),
        (f"{HUB}/.github/workflows/r.yml@*", ""),
        (f"{HUB}/.github/workflows/*@refs/tags/v1.0.0", ""),
        ("https://github.com/*/.github/workflows/r.yml@refs/tags/v1.0.0", ""),
        (f"{_BRANCH}@refs/heads/main", "attestation-untrusted"),
        (f"{_BRANCH}@refs/tags/v1.0", "attestation-untrusted"),
        (f"{HUB}-2/.github/workflows/*@refs/tags/v1.0.0", "attestation-untrusted"),
    ],
)
def test_tag_and_branch_of_the_workflow(asked: str, expected: str, tmp_path: Path) -> None:
    value = newer(RUNNER, workflow(ref="refs/tags/v1.0.0"), f"git+{HUB}@refs/tags/v1.0.0")
    key, here = p256(), world()
    issued = here.issue(key, extensions=signer_extensions(_TAG)).make(here.log)
    made = make_bundle(Wish(statement=value, key=key, certificate=issued))
    root = sha256(bundles.text(world().trusted_root()))
    who = attester("ci", trustedRoot=root, issuer=bundles.ISSUER, identity=asked)
    found = look(
        tmp_path, {"p.json": bundles.text(made)}, who, predicateType=PROVENANCE, sourceUri=HUB
    )
    assert found == expected
