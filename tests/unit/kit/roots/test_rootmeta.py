"""Roots: what goes together, the same bytes twice, and nothing that no verifier would accept."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from securesystemslib.signer import (  # type: ignore[attr-defined]  # no __all__ there
    SIGNER_FOR_URI_SCHEME,
    CryptoSigner,
    Key,
    SecretsHandler,
)

from kit.keys import FileExists, KeyUnsupported, load_private, new_key
from kit.roots.metadata import RootIncomplete, RootInconsistent, build_root, write_root
from kit.signing import KeyNotInRoot
from tests.support.together import together
from verifier.core.errors import RootInvalid
from verifier.rootfile import load_root

KEYS = Path(__file__).parents[4] / "fixtures" / "keys"
EXPIRES = datetime(2040, 1, 1, tzinfo=timezone.utc)
FIELD = "x-offline-kit-signer"


def pub(name: str) -> Path:
    return KEYS / f"{name}.pub"


def pem(*names: str) -> list[str]:
    return [str(KEYS / f"{name}.pem") for name in names]


def named(*names: str) -> list[tuple[str, Path]]:
    return [(name, pub(name)) for name in names]


ALL = named("alice", "bob", "carol")


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate_keys", KEYS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# --- made ------------------------------------------------------------------------------------


def test_the_fixture_is_what_its_keys_give(generator: ModuleType) -> None:
    assert generator.stale() == [], "run fixtures/keys/generate.py --write"


def test_a_stale_fixture_is_noticed(
    generator: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generator, "HERE", tmp_path)
    for path in KEYS.glob("*.pem"):
        shutil.copy(path, tmp_path)
    assert generator.main(["--check"]) == 1
    assert generator.main(["--write"]) == 0
    assert generator.main(["--check"]) == 0
    assert (tmp_path / "root.json").read_bytes() == (KEYS / "root.json").read_bytes()
    (tmp_path / "bob.pub").write_bytes(pub("alice").read_bytes())
    assert generator.stale() == ["bob.pub"]


def test_a_root_is_one_line_of_compact_json_in_the_profile() -> None:
    data = build_root(ALL, 2, expires=EXPIRES, sign_with=pem("alice", "bob"))
    value = json.loads(data)
    compact = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    assert data == compact.encode() + b"\n"
    assert set(value) == {"signatures", "signed"}
    signed = value["signed"]
    assert (signed["_type"], signed["spec_version"], signed["version"]) == ("root", "1.0.31", 1)
    assert signed["expires"] == "2040-01-01T00:00:00Z"
    assert signed["consistent_snapshot"] is False
    assert set(signed["roles"]) == {"root", "targets", "timestamp", "snapshot"}
    assert all(role == signed["roles"]["root"] for role in signed["roles"].values())
    assert sorted(key[FIELD] for key in signed["keys"].values()) == ["alice", "bob", "carol"]
    assert len(value["signatures"]) == 2


def test_the_same_root_has_the_same_bytes_in_any_order_and_time_zone() -> None:
    first = build_root(ALL, 2, expires=EXPIRES, sign_with=pem("alice", "bob"))
    elsewhere = EXPIRES.astimezone(timezone(timedelta(hours=-7)))
    again = build_root(
        ALL[::-1], 2, expires=elsewhere, sign_with=pem("bob", "alice", "bob"),
        root_signers=named("carol", "bob", "alice"), root_threshold=2,
    )  # fmt: skip
    assert first == again == (KEYS / "root.json").read_bytes()


def test_those_who_change_the_root_may_be_others_than_those_who_sign_kits() -> None:
    data = build_root(
        named("alice", "bob"), 2, expires=EXPIRES, sign_with=pem("carol"),
        root_signers=named("carol"), root_threshold=1,
    )  # fmt: skip
    roles = json.loads(data)["signed"]["roles"]
    carol = roles["root"]["keyids"]
    assert len(carol) == 1
    assert carol[0] not in roles["targets"]["keyids"]
    assert (roles["targets"]["threshold"], roles["root"]["threshold"]) == (2, 1)
    assert roles["timestamp"] == roles["snapshot"] == roles["root"]


def test_someone_with_two_keys_is_one_signer(tmp_path: Path) -> None:
    new_key("ecdsa-p256", tmp_path, "second")
    both = [("alice", pub("alice")), ("alice", tmp_path / "second.pub")]
    signing = [*pem("alice"), str(tmp_path / "second.pem")]
    with pytest.raises(RootInconsistent, match="there is 1 distinct signer"):
        build_root(both, 2, expires=EXPIRES, sign_with=signing)
    with pytest.raises(RootIncomplete, match="'alice' would sign, and the root role wants 2"):
        build_root([*both, *named("bob")], 2, expires=EXPIRES, sign_with=signing)
    data = build_root([*both, *named("bob")], 2, expires=EXPIRES, sign_with=[*signing, *pem("bob")])
    assert len(json.loads(data)["signatures"]) == 3


def test_a_name_may_be_in_any_script() -> None:
    name = "Jürgen Ω, équipe 𝒳"
    data = build_root([(name, pub("alice"))], 1, expires=EXPIRES, sign_with=pem("alice"))
    assert data.isascii()
    assert name in [key[FIELD] for key in json.loads(data)["signed"]["keys"].values()]


def test_a_key_of_a_service_may_sign(monkeypatch: pytest.MonkeyPatch) -> None:
    class Kms(CryptoSigner):
        @classmethod
        def from_priv_key_uri(
            cls, priv_key_uri: str, public_key: Key, secrets_handler: SecretsHandler | None = None
        ) -> CryptoSigner:
            return CryptoSigner(load_private(KEYS / f"{priv_key_uri[4:]}.pem"))

    monkeypatch.setitem(SIGNER_FOR_URI_SCHEME, "kms", Kms)
    for _ in range(8):  # with random nonces half of them would have a high s
        data = build_root(ALL, 1, expires=EXPIRES, sign_with=["bob=kms:bob"])
        assert len(json.loads(data)["signatures"]) == 1


# --- refused ---------------------------------------------------------------------------------


@together(
    ("signers", "says"),
    [
        ([("", pub("alice"))], "1 to 64"),
        ([("a" * 65, pub("alice"))], "1 to 64"),
        ([("a\nb", pub("alice"))], "1 to 64"),
        ([("a\u202eb", pub("alice"))], "1 to 64"),
        ([("a\udc80", pub("alice"))], "1 to 64"),
        ([("a=b", pub("alice"))], "no '='"),
        ([("a", pub("alice")), ("b", pub("alice"))], "given twice, for 'a' and 'b'"),
        ([("a", pub("alice")), ("a", pub("alice"))], "given twice, for 'a' and 'a'"),
        ([("Alice", pub("alice")), ("alice", pub("bob"))], "are one name to people"),
        ([("straße", pub("alice")), ("STRASSE", pub("bob"))], "are one name to people"),
        ([("caf\u00e9", pub("alice")), ("cafe\u0301", pub("bob"))], "are one name to people"),
        ([], "there are 0 distinct signers"),
    ],
)
def test_names_and_keys_that_do_not_go_together_are_refused(
    signers: list[tuple[str, Path]], says: str
) -> None:
    with pytest.raises(RootInconsistent) as refused:
        build_root(signers, 1, expires=EXPIRES, sign_with=[], allow_incomplete=True)
    assert refused.value.code == "root-inconsistent"
    assert says in str(refused.value)
    assert "\u202e" not in str(refused.value)


def test_both_roles_must_agree_on_whose_key_it_is() -> None:
    for others, says in [
        ([("allie", pub("alice"))], "is given for 'alice' and for 'allie'"),
        ([("ALICE", pub("carol"))], "are one name to people"),
    ]:
        with pytest.raises(RootInconsistent, match=says):
            build_root(
                named("alice"), 1, expires=EXPIRES, sign_with=[], root_signers=others,
                allow_incomplete=True,
            )  # fmt: skip


@pytest.mark.parametrize("threshold", [-1, 0, 4, 2**70])
def test_a_threshold_that_cannot_be_met_is_refused(threshold: int) -> None:
    with pytest.raises(RootInconsistent, match="role 'targets': the threshold is"):
        build_root(ALL, threshold, expires=EXPIRES, sign_with=pem("alice", "bob", "carol"))
    with pytest.raises(RootInconsistent, match="role 'root': the threshold is"):
        build_root(ALL, 2, expires=EXPIRES, sign_with=pem("alice", "bob"), root_threshold=threshold)


@pytest.mark.parametrize(("keys", "who"), [((), "nobody"), (("bob",), "'bob'")])
def test_a_root_that_no_verifier_would_accept_is_not_made(keys: tuple[str, ...], who: str) -> None:
    with pytest.raises(RootIncomplete, match=f"{who} would sign") as refused:
        build_root(ALL, 2, expires=EXPIRES, sign_with=pem(*keys))
    assert refused.value.code == "root-incomplete"
    data = build_root(ALL, 2, expires=EXPIRES, sign_with=pem(*keys), allow_incomplete=True)
    whole = build_root(ALL, 2, expires=EXPIRES, sign_with=pem("alice", "bob"))
    assert json.loads(data)["signed"] == json.loads(whole)["signed"]
    assert len(json.loads(data)["signatures"]) == len(keys)


def test_only_root_signers_sign_the_root() -> None:
    with pytest.raises(KeyNotInRoot):
        build_root(ALL, 1, expires=EXPIRES, sign_with=pem("alice", "mallory"))
    with pytest.raises(KeyNotInRoot):
        build_root(
            ALL, 1, expires=EXPIRES, sign_with=pem("alice"), root_signers=named("bob"),
        )  # fmt: skip


def test_a_private_key_does_not_get_into_a_root() -> None:
    with pytest.raises(KeyUnsupported, match="a private key; give its public half"):
        build_root([("alice", KEYS / "alice.pem")], 1, expires=EXPIRES, sign_with=pem("alice"))


def test_a_root_is_at_most_64_kib(tmp_path: Path) -> None:
    many = []
    for number in range(200):
        made = new_key("ed25519", tmp_path, f"k{number}")
        many.append((f"signer {number}", made.public_path))
    with pytest.raises(RootInconsistent, match="and may have 65536"):
        build_root(many, 1, expires=EXPIRES, sign_with=[str(tmp_path / "k0.pem")])


@pytest.mark.parametrize(
    "moment",
    [
        datetime(2040, 1, 1),  # noqa: DTZ001 - naive is what is refused
        datetime(2040, 1, 1, 0, 0, 0, 1, tzinfo=timezone.utc),
        datetime(1969, 12, 31, tzinfo=timezone.utc),
    ],
)
def test_expires_is_an_aware_time_in_whole_seconds(moment: datetime) -> None:
    with pytest.raises(ValueError, match="expires"):
        build_root(ALL, 1, expires=moment, sign_with=pem("alice"))


# --- written and read ------------------------------------------------------------------------


def test_a_root_is_never_overwritten(tmp_path: Path) -> None:
    write_root(tmp_path / "root.json", b"one\n")
    with pytest.raises(FileExists):
        write_root(tmp_path / "root.json", b"two\n")
    assert [path.name for path in tmp_path.iterdir()] == ["root.json"]
    assert (tmp_path / "root.json").read_bytes() == b"one\n"


def test_a_root_is_read_as_it_was_made() -> None:
    root = load_root(os.fspath(KEYS / "root.json"))
    assert (root.version, root.targets.threshold) == (1, 2)
    assert root.expires == EXPIRES.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert root.targets.signers() == ["alice", "bob", "carol"]
    for keyid, key in root.targets.keys.items():
        assert key.keyid == keyid
        if key.scheme == "ecdsa-sha2-nistp256":
            assert key.public == pub(key.signer).read_text()


Edit = Callable[[dict[str, Any]], None]


def unsigned(value: dict[str, Any]) -> None:
    value["signatures"].pop()


def tampered(value: dict[str, Any]) -> None:
    value["signed"]["version"] = 2


def one_person(value: dict[str, Any]) -> None:
    for key in value["signed"]["keys"].values():
        key[FIELD] = "alice"


def nameless(value: dict[str, Any]) -> None:
    for key in value["signed"]["keys"].values():
        del key[FIELD]


def not_a_root(value: dict[str, Any]) -> None:
    value["signed"] = {
        "_type": "timestamp", "spec_version": "1.0.31", "version": 1, "meta": {
            "snapshot.json": {"version": 1}}, "expires": "2040-01-01T00:00:00Z",
    }  # fmt: skip


def lone_surrogate(value: dict[str, Any]) -> None:
    value["signed"]["note"] = "\udc80"


def fraction(value: dict[str, Any]) -> None:
    value["signed"]["note"] = 0.5


def threshold_zero(value: dict[str, Any]) -> None:
    value["signed"]["roles"]["root"]["threshold"] = 0


@pytest.mark.parametrize(
    "edit",
    [unsigned, tampered, one_person, nameless, not_a_root, lone_surrogate, fraction,
     threshold_zero],
)  # fmt: skip
def test_an_edited_root_is_refused(tmp_path: Path, edit: Edit) -> None:
    value = json.loads((KEYS / "root.json").read_bytes())
    edit(value)
    (tmp_path / "root.json").write_text(json.dumps(value))
    with pytest.raises(RootInvalid) as refused:
        load_root(os.fspath(tmp_path / "root.json"))
    assert refused.value.code == "root-invalid"


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"[]", b"null", b"\xff", b"[" * 60000, b" " * 65537, b'{"signed": 1}']
)
def test_what_is_no_root_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "root.json").write_bytes(data)
    with pytest.raises(RootInvalid):
        load_root(os.fspath(tmp_path / "root.json"))


def test_a_root_that_is_not_there_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "absent"):
        with pytest.raises(RootInvalid, match="directory"):
            load_root(os.fspath(path))
