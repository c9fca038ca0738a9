"""Signatures, attestations and SBOMs of images come along, however a registry keeps them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kit.build import Options, build
from kit.lock import Locked
from kit.sources.fetched import parts
from kit.sources.lockfile import render
from kit.sources.taken import take
from kit.spec import load_spec
from kit.store import Store
from tests.conftest import Judge
from tests.services.test_registry_sources import GZIP, Host, blobs
from tests.support.making import pinned
from tests.support.registry import Layout, layer, push, registry, send
from tests.support.webserver import Web, status, web, whole
from verifier.core.errors import KitError

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
PREDICATE = "dev.sigstore.bundle.predicateType"
SIMPLE = "application/vnd.dev.cosign.simplesigning.v1+json"
DSSE = "application/vnd.dsse.envelope.v1+json"
SPDX = "text/spdx+json"
KINDS = ("signatures", "attestations", "sboms", "others")


def payload(digest: str) -> bytes:
    image = {
        "image": {"docker-manifest-digest": digest},
        "type": "cosign container image signature",
    }
    return json.dumps({"critical": image, "optional": None}).encode()


class Signed:
    """A layout with one image for two platforms, and what speaks of it in all three ways."""

    def __init__(self, directory: Path) -> None:
        self.layout = Layout(directory)
        blob = self.layout.blob
        ones = [
            self.layout.manifest([blob(layer(name, name.encode() * 500), GZIP)], name)
            for name in ("amd64", "arm64")
        ]
        self.platforms = [one["digest"][7:] for one in ones]
        self.index = self.layout.index(ones)
        self.image = self.index["digest"][7:]
        self.tags: dict[str, dict[str, Any]] = {}
        self.referrers: list[dict[str, Any]] = []

    def tagged(self, kind: str, subject: str, data: bytes, media: str) -> None:
        entry = self.layout.manifest([self.layout.blob(data, media)], "none")
        self.tags[f"sha256-{subject}.{kind}"] = entry

    def refer(self, subject: str, artifact_type: str, **annotations: str) -> dict[str, Any]:
        descriptor = {"mediaType": INDEX, "digest": f"sha256:{subject}", "size": 1}
        more: dict[str, object] = {"artifactType": artifact_type, "subject": descriptor}
        if annotations:
            more["annotations"] = {PREDICATE: annotations["predicate"]}
        data = self.layout.blob(f"{artifact_type} {annotations}".encode(), artifact_type)
        entry = self.layout.manifest([data], "none", **more)
        entry.pop("platform")
        self.referrers.append(entry)
        return entry

    def all_forms(self) -> None:
        self.tagged("sig", self.image, payload(f"sha256:{self.image}"), SIMPLE)
        self.tagged("att", self.platforms[1], b"{}", DSSE)
        self.tagged("sbom", self.image, b"{}", SPDX)
        self.refer(self.image, BUNDLE, predicate="https://sigstore.dev/cosign/sign/v1")
        self.refer(self.image, BUNDLE, predicate="https://slsa.dev/provenance/v1")
        self.refer(self.image, "application/vnd.cyclonedx+json")
        self.refer(self.image, "application/vnd.cncf.notary.signature")
        self.refer(self.image, "application/vnd.example.report")

    def finish(self) -> Path:
        fallback = {}
        if self.referrers:
            fallback = {f"sha256-{self.image}": self.layout.index(self.referrers)}
        return self.layout.finish(app=self.index, **self.tags, **fallback)

    def push(self, skopeo: Path, repository: str) -> None:
        layout = self.finish()
        names = {"app": "1", **{tag: tag for tag in self.tags}}
        if self.referrers:
            names[f"sha256-{self.image}"] = f"sha256-{self.image}"
        for name, tag in names.items():
            push(skopeo, layout, name, f"{repository}:{tag}")


@pytest.fixture
def signed(tmp_path: Path) -> Signed:
    made = Signed(tmp_path / "layout")
    made.all_forms()
    return made


@pytest.fixture(scope="module")
def source(judge: Judge, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    directory = tmp_path_factory.mktemp("source")
    with registry(judge("docker-registry"), directory / "registry") as running:
        yield running


def wants(reference: str, *kinds: str, more: str = "") -> str:
    return f'oci = "{reference}"\nbeside = {json.dumps(list(kinds))}\n{more}'


def beside(locked: Locked) -> dict[str, str]:
    """Return what came along: name in the layout and kind."""
    return {one.name: str(one.beside) for one in locked.lock.images if one.beside}


def carry(host: Host, locked: Locked, target: Path) -> Path:
    for item in locked.lock.artifacts:
        path = target / item.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(host.store.path(item.sha256).read_bytes())
    return target / "images"


def put(host: str, name: str, file: Path) -> None:
    """Do what `curl --upload-file` does with a manifest."""
    repository, _, tag = name.rpartition(":")
    path = f"/v2/{repository}/manifests/{tag}"
    assert send(host, "PUT", path, file.read_bytes(), INDEX)[0] == 201


def test_all_forms_come_along_and_reach_the_registry_of_the_site(
    signed: Signed, source: str, judge: Judge, tmp_path: Path
) -> None:
    skopeo = judge("skopeo")
    signed.push(skopeo, f"{source}/lnm/app")
    host = Host(tmp_path / "h", wants(f"{source}/lnm/app:1", *KINDS))
    locked = host.lock()
    tag = f"lnm/app:sha256-{signed.image}"
    found = beside(locked)
    assert found[f"{tag}.sig"] == "signatures"
    assert found[f"lnm/app:sha256-{signed.platforms[1]}.att"] == "attestations"
    assert found[f"{tag}.sbom"] == "sboms"
    assert found[tag] == "referrers"
    kinds = sorted(kind for name, kind in found.items() if ".ref-" in name)
    assert kinds == ["attestations", "others", "sboms", "signatures", "signatures"]
    carried = {item.sha256 for item in locked.lock.artifacts}
    assert carried >= set(blobs(signed.layout.directory)) - {
        hashlib.sha256(data).hexdigest()
        for data in blobs(signed.layout.directory).values()
        if data.startswith(b'{\n  "schemaVersion"')
    }, "every blob, but for the index of referrers, which is ours"

    layout = carry(host, locked, tmp_path / "site")
    with registry(judge("docker-registry"), tmp_path / "registry") as there:
        for one in locked.lock.images:
            if one.beside == "referrers":
                continue
            push(skopeo, layout, one.name, f"{there}/{one.name}")
        for one in locked.lock.images:
            if one.beside == "referrers":  # older skopeos drop what its entries say
                put(there, one.name, layout / "blobs" / "sha256" / one.sha256)
        again = Host(tmp_path / "again", wants(f"{there}/lnm/app:1", *KINDS)).lock()
    assert beside(again) == found
    assert again.lock.artifacts == locked.lock.artifacts


def test_a_fresh_machine_gets_the_same(
    signed: Signed, source: str, judge: Judge, tmp_path: Path
) -> None:
    signed.push(judge("skopeo"), f"{source}/fresh")
    host = Host(tmp_path / "h", wants(f"{source}/fresh:1", "signatures", "sboms"))
    locked = host.lock()
    assert "attestations" not in beside(locked).values()
    host.store = Store(tmp_path / "fresh")
    again = host.lock()
    assert (again.lock, again.changed) == (locked.lock, False)
    assert again.fetched == len({item.sha256 for item in locked.lock.artifacts})


def test_what_hangs_on_the_index_comes_with_one_platform_of_it(
    signed: Signed, source: str, judge: Judge, tmp_path: Path
) -> None:
    signed.push(judge("skopeo"), f"{source}/narrow")
    text = wants(f"{source}/narrow:1", "signatures", more='platforms = ["linux/arm64"]')
    locked = Host(tmp_path / "h", text).lock()
    subjects = {one.subject for one in locked.lock.images if one.beside}
    assert subjects == {signed.image}
    kept = [item for item in locked.lock.artifacts if item.path.startswith("evidence/oci/")]
    assert [item.sha256 for item in kept] == [signed.image], "through which it is reached"


@pytest.mark.parametrize("more", ["", 'platforms = ["linux/arm64"]'])
def test_attestations_that_stand_in_the_index_come_along(more: str, tmp_path: Path) -> None:
    """BuildKit lists them beside the platforms that they speak of."""
    made = Layout(tmp_path / "layout")
    one = made.manifest([made.blob(layer("arm64", b"app"), GZIP)], "arm64")
    said = made.manifest([made.blob(b"{}", "application/vnd.in-toto+json")], "unknown")
    said["annotations"] = {
        "vnd.docker.reference.type": "attestation-manifest",
        "vnd.docker.reference.digest": one["digest"],
    }
    made.finish(app=made.index([one, said]))
    host = Host(tmp_path, wants("oci:layout:app", "attestations", more=more))
    locked = host.lock()
    (found,) = [item for item in locked.lock.images if item.beside]
    assert (f"sha256:{found.sha256}", f"sha256:{found.subject}") == (said["digest"], one["digest"])
    host.store = Store(tmp_path / "fresh")
    assert not host.lock().changed
    with take(load_spec(host.spec), host.store) as taken:
        assert taken


def test_a_layout_has_them_too(signed: Signed, tmp_path: Path) -> None:
    signed.finish()
    host = Host(tmp_path, wants("oci:layout:app", *KINDS))
    found = beside(host.lock())
    assert sorted(set(found.values())) == sorted({*KINDS, "referrers"})
    host.store = Store(tmp_path / "fresh")
    assert not host.lock().changed


def test_signatures_that_a_mirror_left_behind(
    signed: Signed, source: str, judge: Judge, tmp_path: Path
) -> None:
    push(judge("skopeo"), signed.finish(), "app", f"{source}/mirror:1")
    host = Host(tmp_path / "h", wants(f"{source}/mirror:1", "signatures"))
    with pytest.raises(KitError, match=f"no signatures beside sha256:{signed.image}") as caught:
        host.lock()
    assert caught.value.code == "image-companion-absent"
    assert not (tmp_path / "h" / "kit.lock").exists()


def test_an_image_that_a_tool_wrote_again_is_one_that_nobody_signed(
    signed: Signed, source: str, judge: Judge, tmp_path: Path
) -> None:
    skopeo = judge("skopeo")
    signed.push(skopeo, f"{source}/again")
    changed = Layout(tmp_path / "changed")
    one = changed.manifest([changed.blob(layer("amd64", b"again"), GZIP)], "amd64")
    push(skopeo, changed.finish(app=one), "app", f"{source}/again:1")
    with pytest.raises(KitError) as caught:
        Host(tmp_path / "h", wants(f"{source}/again:1", "signatures")).lock()
    assert caught.value.code == "image-companion-absent"


def test_a_tag_that_signs_another_image(source: str, judge: Judge, tmp_path: Path) -> None:
    signed = Signed(tmp_path / "layout")
    signed.tagged("sig", signed.image, payload(f"sha256:{'0' * 64}"), SIMPLE)
    signed.push(judge("skopeo"), f"{source}/swapped")
    with pytest.raises(KitError, match="signs another image") as caught:
        Host(tmp_path / "h", wants(f"{source}/swapped:1", "signatures")).lock()
    assert caught.value.code == "image-companion-absent"


# --- what a build holds it to -------------------------------------------------------------------


def test_a_build_checks_that_they_are_there(signed: Signed, tmp_path: Path) -> None:
    signed.finish()
    host = Host(tmp_path, wants("oci:layout:app", "signatures", "sboms"))
    locked = host.lock().lock
    spec = load_spec(host.spec)
    with take(spec, host.store) as taken:
        options = Options(self_check=False, taken=taken)
        built = build(spec, [pinned()], tmp_path / "out", options)
    assert built.members == len(locked.artifacts)
    images = [one for one in locked.images if one.beside not in {"sboms"}]
    others = [
        one.model_copy(update={"subject": "0" * 64}) if one.beside == "signatures" else one
        for one in locked.images
    ]
    for edited in (images, others):  # as a lock that was made so would have it
        made = locked.model_copy(update={"images": tuple(edited)})
        whole_parts = {part.path: part.of(made).contents() for part in parts(spec)}
        sources = tuple(
            one.model_copy(update={"contents": whole_parts[one.path]}) for one in made.sources
        )
        (tmp_path / "kit.lock").write_bytes(render(made.model_copy(update={"sources": sources})))
        with pytest.raises(KitError) as caught, take(spec, host.store):
            pass
        assert caught.value.code == "image-companion-absent"


# --- a registry with a referrers API, honest and lying ------------------------------------------


class Listing:
    """A registry of ours that lists referrers."""

    def __init__(self, running: Web, directory: Path) -> None:
        self.web, self.signed = running, Signed(directory)
        self.entry = self.signed.refer(self.signed.image, BUNDLE)
        self.signed.finish()
        for digest, data in blobs(directory).items():
            media = json.loads(data).get("mediaType", "") if data[:1] == b"{" else ""
            running.routes[f"/v2/a/blobs/sha256:{digest}"] = whole(data)
            answer = status(200, {"Content-Type": media}, data)
            running.routes[f"/v2/a/manifests/sha256:{digest}"] = answer
        running.routes["/v2/a/manifests/1"] = running.routes[
            f"/v2/a/manifests/sha256:{self.signed.image}"
        ]
        self.list([self.entry])

    @property
    def path(self) -> str:
        return f"/v2/a/referrers/sha256:{self.signed.image}"

    def list(self, entries: object, link: str = "", media: str = INDEX) -> None:
        value = {"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}
        headers = {"Content-Type": media, **({"Link": link} if link else {})}
        self.web.routes[self.path] = status(200, headers, json.dumps(value).encode())

    def lock(self, directory: Path) -> Locked:
        host = self.web.url.removeprefix("http://")
        return Host(directory, wants(f"{host}/a:1", "signatures")).lock()


@pytest.fixture
def listing(tmp_path: Path) -> Iterator[Listing]:
    with web() as running:
        yield Listing(running, tmp_path / "layout")


def test_the_list_of_a_registry_is_asked_for_page_by_page(listing: Listing, tmp_path: Path) -> None:
    listing.web.routes[f"{listing.path}/2"] = listing.web.routes[listing.path]
    listing.list([], f'<{listing.path}/2>; rel="next"')
    assert len(beside(listing.lock(tmp_path / "h"))) == 2


@pytest.mark.parametrize("code", [400, 404, 405, 501])
def test_a_registry_without_a_list(code: int, listing: Listing, tmp_path: Path) -> None:
    answer = listing.web.routes.pop(listing.path)
    tag = f"/v2/a/manifests/sha256-{listing.signed.image}"
    listing.web.routes |= {listing.path: status(code), tag: answer}
    assert len(beside(listing.lock(tmp_path / "h"))) == 2


LIES = {
    "a list that leads elsewhere": "fetch-failed",
    "a list that leads to no URL": "fetch-failed",
    "a list without an end": "fetch-failed",
    "a manifest of another image": "image-companion-absent",
    "a manifest that is another": "artifact-differs",
    "too many": "image-malformed",
    "a page": "image-companion-absent",
    "nothing that is a digest": "image-companion-absent",
}


@pytest.mark.parametrize("lie", LIES)
def test_a_list_that_lies(lie: str, listing: Listing, tmp_path: Path) -> None:
    entry, routes = listing.entry, listing.web.routes
    if lie == "a list that leads elsewhere":
        listing.list([], '<http://192.0.2.1/v2/a/referrers/x>; rel="next"')
    elif lie == "a list that leads to no URL":
        listing.list([], '<http://[>; rel="next"')
    elif lie == "a list without an end":
        listing.list([], f'<{listing.path}>; rel="next"')
    elif lie == "a manifest of another image":
        listing.list([{**entry, "digest": f"sha256:{listing.signed.platforms[0]}"}])
    elif lie == "a manifest that is another":
        routes[f"/v2/a/manifests/{entry['digest']}"] = status(
            200, {"Content-Type": MANIFEST}, b"{}"
        )
    elif lie == "too many":
        listing.list([{"digest": f"sha256:{number:064x}"} for number in range(1_001)])
    elif lie == "a page":
        listing.list([entry], media="text/html")
    else:
        listing.list([{"digest": "sha256:../../x"}, {"digest": 7}, 7, None])
    with pytest.raises(KitError) as caught:
        listing.lock(tmp_path / "h")
    assert caught.value.code == LIES[lie]
    assert not (tmp_path / "h" / "kit.lock").exists()
