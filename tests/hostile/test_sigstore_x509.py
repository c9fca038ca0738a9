"""Certificates that bend X.509: what each rule of RFC 5280 and of DER must refuse, by its code.

Every certificate is logged and signed after it is bent, so nothing but the bend is wrong with it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.support.bundlecases import Attack, Case, check_refused, issued
from tests.support.bundles import (
    CODE_SIGNING,
    NAME,
    authority,
    chain_of,
    signer_extensions,
    world,
)
from tests.support.certificates import NOW, Issue, other, p256, p384, sign, usage
from tests.support.dertree import Node, integer, oid, parse, sequence, tlv
from tests.support.rsakeys import rsa_key
from tests.support.together import together

Bend = Callable[[Node], object]
SERIAL, ALGORITHM, ISSUER, VALIDITY, SUBJECT, KEY, EXTENSIONS = range(1, 8)
HUGE = "2.5." + str(1 << 2000)


def bent(change: Bend, **more: Any) -> Attack:
    """Return the attack that bends what is signed of the signer's certificate."""
    return issued(change=change, **more)


def with_extension(dotted: str, value: bytes, critical: bool = False) -> Attack:
    return issued(extensions=[*signer_extensions(), (other(dotted, value), critical)])


def instead(number: int, *extension: tuple[x509.ExtensionType, bool]) -> Attack:
    """Return the attack that has another extension, or none, in one place."""
    found = signer_extensions()
    found[number : number + 1] = extension
    return issued(extensions=found)


def raw(value: bytes, number: int) -> Attack:
    """Return the attack that puts other bytes into an extension."""

    def change(tbs: Node) -> None:
        tbs.at(EXTENSIONS, 0, number).children[-1].data = value  # type: ignore[index]

    return bent(change)


def put(value: bytes, *path: int) -> Attack:
    """Return the attack that puts another element into a place."""

    def change(tbs: Node) -> None:
        place = tbs.at(*path[:-1])
        assert place.children is not None
        place.children[path[-1]] = parse(value)

    return bent(change)


def insert(value: bytes, *path: int) -> Attack:
    """Return the attack that puts an element more into a place."""

    def change(tbs: Node) -> None:
        place = tbs.at(*path[:-1])
        assert place.children is not None
        place.children.insert(path[-1], parse(value))

    return bent(change)


def long(*path: int) -> Attack:
    """Return the attack that writes one length in a byte more than it takes, as BER may."""

    def change(tbs: Node) -> None:
        tbs.at(*path).long = True

    return bent(change)


def whole(change: Callable[[bytes], bytes]) -> Attack:
    """Return the attack that changes the finished certificate."""

    def attack(case: Case) -> None:
        issue = world().issue(case.wish.key)
        case.wish.certificate = change(issue.make(world().log))

    return attack


def period(start: bytes, end: bytes, tag: int = 0x18) -> Attack:
    return put(sequence(tlv(tag, start), tlv(tag, end)), VALIDITY)


def other_outer_algorithm(data: bytes) -> bytes:
    tree = parse(data)
    assert tree.children is not None
    tree.children[1] = parse(sequence(oid("1.2.840.10045.4.3.2")))
    return tree.encode()


def indefinite(data: bytes) -> bytes:
    """Return a certificate whose outermost length is BER's indefinite one."""
    inner = data[4:] if data[1] == 0x82 else data[3:]
    return b"\x30\x80" + inner + b"\0\0"


def odd_bits(data: bytes) -> bytes:
    tree = parse(data)
    assert tree.children is not None
    tree.children[2].data = b"\1" + tree.children[2].data[1:-1] + b"\0"
    return tree.encode()


def flipped(data: bytes) -> bytes:
    """Return bytes with another last one: a fixed one is the same in one run of 256."""
    return data[:-1] + bytes([data[-1] ^ 1])


def by_key(make: Callable[[], Any]) -> Attack:
    """Return the attack that gives the signer's certificate another key than the signer's."""

    def attack(case: Case) -> None:
        case.wish.certificate = replace(world().issue(case.wish.key), key=make()).make(world().log)

    return attack


# --- authorities ---------------------------------------------------------------------------------


def authorities(*changes: dict[str, Any], root: dict[str, Any] | None = None) -> Attack:
    """Return the attack with a row of authorities below the root, each changed."""

    def attack(case: Case) -> None:
        above, key = "root", world().root_key
        first = Issue(key, "root", extensions=authority())
        chain = [replace(first, **(root or {})).make()]
        for number, change in enumerate(changes):
            own = p384()
            name = f"between {number}"
            issue = Issue(own, name, (above, key), extensions=authority(CODE_SIGNING))
            issue = replace(issue, **change)
            chain.insert(0, issue.make())
            above, key = issue.name, own
        case.root["certificateAuthorities"][0].update(chain_of(chain))
        leaf = world().issue(case.wish.key, issuer=(above, key))
        case.wish.certificate = leaf.make(world().log)

    return attack


def loops(case: Case) -> None:
    """Two authorities that issued each other, under no root that is named."""
    keys = p384(), p384()
    names = "a", "b"
    chain = [
        Issue(keys[i], names[i], (names[1 - i], keys[1 - i]), extensions=authority()).make()
        for i in (0, 1)
    ]
    case.root["certificateAuthorities"][0].update(chain_of([*chain, world().chain[1]]))
    leaf = world().issue(case.wish.key, issuer=("a", keys[0]))
    case.wish.certificate = leaf.make(world().log)


def many_of_one_name(case: Case) -> None:
    """Sixty authorities of one name: each is tried at most once, and some are not."""
    chain = [Issue(p256(), "same", ("same", p256()), extensions=authority()).make()] * 60
    case.root["certificateAuthorities"][0].update(chain_of([*chain, world().chain[1]]))
    leaf = world().issue(case.wish.key, issuer=("same", p256()))
    case.wish.certificate = leaf.make(world().log)


def constraints(critical: bool) -> tuple[x509.ExtensionType, bool]:
    permitted = [x509.DNSName("example"), x509.IPAddress(ipaddress.ip_network("10.0.0.0/8"))]
    return x509.NameConstraints(permitted, None), critical


PLAIN = authority(CODE_SIGNING)
BENT: dict[str, tuple[str, Attack]] = {
    # numbers
    "negative serial number": ("certificate-malformed", put(integer(-5), SERIAL)),
    "serial number of 21 bytes": ("certificate-malformed", put(integer(1 << 160), SERIAL)),
    "serial number with a zero before it": (
        "certificate-malformed",
        put(tlv(2, b"\0\1"), SERIAL),
    ),
    "serial number with ones before it": (
        "certificate-malformed",
        put(tlv(2, b"\xff\xff"), SERIAL),
    ),
    "empty serial number": ("certificate-malformed", put(tlv(2), SERIAL)),
    "version 1": ("certificate-malformed", put(tlv(0xA0, integer(0)), 0)),
    "version 4": ("certificate-malformed", put(tlv(0xA0, integer(3)), 0)),
    "two versions": ("certificate-malformed", put(tlv(0xA0, integer(2), integer(2)), 0)),
    "an object identifier of 300 bytes": (
        "certificate-malformed",
        insert(sequence(oid(HUGE), tlv(4)), EXTENSIONS, 0, 5),
    ),
    "an object identifier with zeros": (
        "certificate-malformed",
        insert(sequence(tlv(6, b"\x55\x80\x01"), tlv(4)), EXTENSIONS, 0, 5),
    ),
    "an object identifier that is cut off": (
        "certificate-malformed",
        insert(sequence(tlv(6, b"\x55\x81"), tlv(4)), EXTENSIONS, 0, 5),
    ),
    "an empty object identifier": (
        "certificate-malformed",
        insert(sequence(tlv(6), tlv(4)), EXTENSIONS, 0, 5),
    ),
    # BER, and bytes that do not belong
    "BER: long length of all": ("certificate-malformed", long()),
    "BER: long length of the issuer": ("certificate-malformed", long(ISSUER)),
    "BER: long length inside the key": ("certificate-malformed", long(KEY, 0)),
    "BER: long length of an extension": ("certificate-malformed", long(EXTENSIONS, 0, 1)),
    "BER: indefinite length": ("certificate-malformed", whole(indefinite)),
    "BER: true that is 1": (
        "certificate-malformed",
        put(tlv(1, b"\1"), EXTENSIONS, 0, 0, 1),
    ),
    "BER: false that is spelled out": (
        "certificate-malformed",
        insert(tlv(1, b"\0"), EXTENSIONS, 0, 1, 1),
    ),
    "a byte behind the certificate": ("certificate-malformed", whole(lambda data: data + b"\0")),
    "a byte too few": ("certificate-malformed", whole(lambda data: data[:-1])),
    "an element behind the extensions": (
        "certificate-malformed",
        bent(lambda tbs: tbs.children.append(parse(tlv(5)))),  # type: ignore[union-attr]
    ),
    "an element behind the key": ("certificate-malformed", insert(tlv(5), KEY, 2)),
    "an element behind an extension": (
        "certificate-malformed",
        insert(tlv(5), EXTENSIONS, 0, 1, 2),
    ),
    "unique identifiers": ("certificate-malformed", insert(tlv(0x81, b"\0\1"), 7)),
    "signature with odd bits": ("certificate-malformed", whole(odd_bits)),
    "two signature algorithms": ("certificate-malformed", whole(other_outer_algorithm)),
    "65 KiB": (
        "certificate-malformed",
        with_extension("1.2.3.4", bytes(66_000)),
    ),
    "70 extensions": (
        "certificate-malformed",
        issued(
            extensions=[
                *signer_extensions(),
                *((other(f"1.2.3.{number}", b""), False) for number in range(70)),
            ]
        ),
    ),
    "an extension twice": (
        "certificate-malformed",
        bent(lambda tbs: tbs.at(7, 0).children.append(tbs.at(7, 0, 2))),  # type: ignore[union-attr]
    ),
    # time
    "valid until a second before": (
        "certificate-expired",
        issued(end=NOW + timedelta(seconds=4)),
    ),
    "valid from a second after": (
        "certificate-expired",
        issued(start=NOW + timedelta(seconds=6)),
    ),
    "never valid": ("certificate-expired", period(b"20260101000000Z", b"20240101000000Z")),
    "time with a fraction": (
        "certificate-malformed",
        period(b"20240101000000.5Z", b"20290101000000Z"),
    ),
    "time with an offset": (
        "certificate-malformed",
        period(b"20240101000000+0100", b"20290101000000Z"),
    ),
    "time without seconds": ("certificate-malformed", period(b"202401010000Z", b"20290101000000Z")),
    "time in February 30": (
        "certificate-malformed",
        period(b"20240230000000Z", b"20290101000000Z"),
    ),
    "time with a leap second": (
        "certificate-malformed",
        period(b"20240101000060Z", b"20290101000000Z"),
    ),
    "short time of four digits a year": (
        "certificate-malformed",
        period(b"20240101000000Z", b"20290101000000Z", 0x17),
    ),
    "short time of the last century": (
        "certificate-expired",
        period(b"990101000000Z", b"991231235959Z", 0x17),
    ),
    # what it is for
    "no extensions": (
        "certificate-misused",
        lambda case: setattr(
            case.wish,
            "certificate",
            world().issue(case.wish.key, extensions=[], identifiers=False).make(),
        ),
    ),
    "no extended key usage": ("certificate-misused", instead(1)),
    "extended key usage for servers": (
        "certificate-misused",
        instead(1, (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)),
    ),
    "any extended key usage": (
        "certificate-misused",
        instead(1, (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE]), False)),
    ),
    "an empty extended key usage": ("certificate-malformed", raw(sequence(), 1)),
    "key usage for encryption": (
        "certificate-misused",
        instead(0, (usage("key_encipherment"), True)),
    ),
    "key usage with a zero at its end": ("certificate-malformed", raw(tlv(3, b"\0\x80"), 0)),
    "key usage with unused bits set": ("certificate-malformed", raw(tlv(3, b"\7\xff"), 0)),
    "key usage of eight unused bits": ("certificate-malformed", raw(tlv(3, b"\x08\x80"), 0)),
    "an authority signs": (
        "certificate-misused",
        issued(extensions=[*signer_extensions(), (x509.BasicConstraints(True, None), True)]),
    ),
    "basic constraints that say false": (
        "certificate-malformed",
        with_extension("2.5.29.19", sequence(tlv(1, b"\0")), critical=True),
    ),
    "a length without an authority": (
        "certificate-malformed",
        with_extension("2.5.29.19", sequence(integer(1)), critical=True),
    ),
    "an unknown critical extension": (
        "certificate-unknown-extension",
        with_extension("1.2.3.4", b"\5\0", critical=True),
    ),
    "a precertificate": (
        "certificate-unknown-extension",
        with_extension("1.3.6.1.4.1.11129.2.4.3", b"\5\0", critical=True),
    ),
    "an SCT list that is critical": (
        "certificate-malformed",  # there are then two
        with_extension("1.3.6.1.4.1.11129.2.4.2", b"\5\0", critical=True),
    ),
    "name constraints that are not critical": (
        "certificate-unknown-extension",
        issued(extensions=[*signer_extensions(), constraints(critical=False)]),
    ),
    "name that is not ASCII": (
        "certificate-malformed",
        raw(sequence(tlv(0x86, "https://ä".encode())), 2),
    ),
    # keys
    "another key in the certificate": ("bundle-signature-invalid", by_key(p256)),
    "P-521": (
        "evidence-algorithm-unknown",
        by_key(lambda: ec.generate_private_key(ec.SECP521R1())),
    ),
    "a curve that is not evaluated": (
        "evidence-algorithm-unknown",
        by_key(lambda: ec.generate_private_key(ec.SECP256K1())),
    ),
    "RSA of 1,024 bits": (
        "certificate-malformed",
        by_key(lambda: rsa_key(1024)),
    ),
    "RSA with e = 3": (
        "certificate-malformed",
        by_key(lambda: rsa_key(e=3)),
    ),
    "a point that is not on its curve": (
        "certificate-malformed",
        bent(lambda tbs: setattr(tbs.at(KEY, 1), "data", flipped(tbs.at(KEY, 1).data))),
    ),
    "a compressed point": (
        "certificate-malformed",
        bent(lambda tbs: setattr(tbs.at(KEY, 1), "data", b"\0\2" + tbs.at(KEY, 1).data[2:34])),
    ),
    # who issued it
    "signature of another certificate": (
        "certificate-untrusted",
        whole(lambda data: data[:-70] + world().chain[0][-70:]),
    ),
    "signed with another hash than it says": (
        "certificate-untrusted",
        lambda case: setattr(case.wish, "certificate", _other_hash(case)),
    ),
    "issuer's name in other letters": (
        "certificate-untrusted",
        put(sequence(tlv(0x31, sequence(oid("2.5.4.3"), tlv(0x13, b"intermediate")))), ISSUER),
    ),
    "an authority that is none": (
        "certificate-misused",
        authorities({"extensions": [PLAIN[1], PLAIN[2]]}),
    ),
    "an authority that may not sign": (
        "certificate-misused",
        authorities({"extensions": [PLAIN[0], (usage("digital_signature"), True), PLAIN[2]]}),
    ),
    "an authority for servers": (
        "certificate-misused",
        authorities({"extensions": authority(ExtendedKeyUsageOID.SERVER_AUTH)}),
    ),
    "an authority for time stamping": (
        "certificate-misused",
        authorities({"extensions": authority(ExtendedKeyUsageOID.TIME_STAMPING)}),
    ),
    "an authority too many below the root": (
        "certificate-misused",
        authorities({}, root={"extensions": authority(length=0)}),
    ),
    "an authority too many below another": (
        "certificate-misused",
        authorities({"extensions": authority(CODE_SIGNING, length=0)}, {}),
    ),
    "an authority that has expired": (
        "certificate-expired",
        authorities({"end": NOW + timedelta(seconds=4)}),
    ),
    "a root that has expired": (
        "certificate-expired",
        authorities({}, root={"end": NOW + timedelta(seconds=4)}),
    ),
    "a root that is no authority": (
        "certificate-misused",
        authorities({}, root={"extensions": []}),
    ),
    "an authority with name constraints": (
        "certificate-unknown-extension",
        authorities({"extensions": [*PLAIN, constraints(critical=True)]}),
    ),
    "an authority with name constraints that are not critical": (
        "certificate-unknown-extension",
        authorities({"extensions": [*PLAIN, constraints(critical=False)]}),
    ),
    "an authority with an unknown critical extension": (
        "certificate-unknown-extension",
        authorities({"extensions": [*PLAIN, (other("1.2.3.4", b"\5\0"), True)]}),
    ),
    "six authorities in a row": ("certificate-untrusted", authorities({}, {}, {}, {}, {}, {})),
    "authorities in a circle": ("certificate-untrusted", loops),
    "sixty authorities of one name": ("certificate-untrusted", many_of_one_name),
}


def _other_hash(case: Case) -> bytes:
    """Return a certificate that says SHA-256 and is signed with SHA-384."""
    algorithm = sequence(oid("1.2.840.10045.4.3.2"))

    def change(tbs: Node) -> None:
        assert tbs.children is not None
        tbs.children[ALGORITHM] = parse(algorithm)

    tree = parse(world().issue(case.wish.key, change=change).make(world().log))
    tbs = tree.at(0).encode()
    return sequence(tbs, algorithm, tlv(3, b"\0" + sign(world().ca_key, tbs)))


@together("name", BENT)
def test_bent_certificate(name: str) -> None:
    check_refused(*BENT[name])


GOOD: dict[str, Attack] = {
    "valid until that second": issued(end=NOW + timedelta(seconds=5)),
    "valid from that second on": issued(start=NOW + timedelta(seconds=5)),
    "times of the other kind": period(b"20240101000000Z", b"20290101000000Z"),
    "valid for ever": period(b"20240101000000Z", b"99991231235959Z"),
    "serial number of 20 bytes": put(integer((1 << 159) - 1), SERIAL),
    "serial number 0": put(integer(0), SERIAL),
    "no key usage": instead(0),
    "unknown extensions that are not critical": with_extension("1.2.3.4", b"\5\0"),
    "an authority without key usage": authorities({"extensions": [PLAIN[0], PLAIN[2]]}),
    "an authority for any use": authorities(
        {"extensions": authority(ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE)}
    ),
    "an authority until that second": authorities({"end": NOW + timedelta(seconds=5)}),
    "no authority between": authorities(),
    "three authorities between": authorities({}, {}, {}),
    "authorities as many as allowed": authorities(
        {"extensions": authority(CODE_SIGNING, length=1)},
        {"extensions": authority(CODE_SIGNING, length=0)},
        root={"extensions": authority(length=2)},
    ),
    "an e-mail address": lambda case: _by_mail(case),
}


def _by_mail(case: Case) -> None:
    from verifier.evidence.sigstore.identity import Identity

    issued(extensions=signer_extensions("bob@example.org"))(case)
    case.wanted = Identity("https://issuer.example", "bob@example.org")


@together("name", GOOD)
def test_certificate_at_the_edge(name: str) -> None:
    case = Case()
    GOOD[name](case)
    assert case.decide().signer in (NAME, "bob@example.org")


@pytest.mark.parametrize("kind", ["P-256", "Ed25519", "RSA"])
def test_authorities_of_other_kinds(kind: str) -> None:
    """A P-256 authority signs with SHA-256; two of one name are told apart by their signatures."""
    make: dict[str, Callable[[], Any]] = {
        "P-256": p256,
        "Ed25519": ed25519.Ed25519PrivateKey.generate,
        "RSA": rsa_key,
    }
    case, key = Case(), make[kind]()
    root = Issue(key, "root", extensions=authority())
    twin = Issue(p384(), "between", ("root", key), extensions=authority(CODE_SIGNING))
    real = replace(twin, key=make[kind]())
    chain = [twin.make(), real.make(), root.make()]
    case.root["certificateAuthorities"][0].update(chain_of(chain))
    leaf = world().issue(case.wish.key, issuer=("between", real.key))
    case.wish.certificate = leaf.make(world().log)
    assert case.decide().signer == NAME


def test_extensions_that_look_alike_are_not_mixed_up() -> None:
    """The SCT is over the certificate without its list, whatever else stands there."""
    case = Case()
    alike = [other(f"1.3.6.1.4.1.11129.2.4.{number}", b"\4\0") for number in (1, 5)]
    more = [(each, False) for each in alike]
    issued(extensions=[*signer_extensions(), *more])(case)
    assert case.decide().signer == NAME
