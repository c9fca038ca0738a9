"""in-toto layouts and links in kits: TRUST-FILES 3.10 as vectors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tests.support.attesting import FILES, envelope
from tests.support.cases.attested import PolicyCase, asks
from tests.support.people import compact, olpc, person

LAYOUT = "in-toto:layout"
ASKED = asks(LAYOUT, "alice")
UNMET, AGAIN = "layout-unmet", "ab" * 32
STRANGE = {"sha256": "cd" * 32}


def key_value(name: str) -> dict[str, Any]:
    """Return a key as in-toto writes it."""
    key = {k: v for k, v in person(name).key.items() if not k.startswith("x-")}
    return {**key, "keyid": person(name).keyid}


def step(*people: str, name: str = "build", threshold: int = 1) -> dict[str, Any]:
    """Return a step that these people may do."""
    return {
        "_type": "step",
        "name": name,
        "pubkeys": [person(each).keyid for each in people],
        "threshold": threshold,
        "expected_command": [],
        "expected_materials": [],
        "expected_products": [],
    }


def ruled(made: dict[str, Any], materials: Any = (), products: Any = ()) -> dict[str, Any]:
    """Return a step with rules, each in a line."""
    lists = {"expected_materials": materials, "expected_products": products}
    return {**made, **{name: [rule.split() for rule in rules] for name, rules in lists.items()}}


def layout(*steps: dict[str, Any], people: tuple[str, ...] = ("bob", "carol"), **more: Any) -> Any:
    """Return a layout; it expired long ago, which is the site's to look at."""
    return {
        "_type": "layout",
        "expires": "2020-01-01T00:00:00Z",
        "readme": "",
        "keys": {person(name).keyid: key_value(name) for name in people},
        "steps": list(steps),
        "inspect": [],
        **more,
    }


def link(*digests: Mapping[str, str], name: str = "build", **more: Any) -> dict[str, Any]:
    """Return a link with products; those of the small kit unless told otherwise."""
    products = {f"p{i}": dict(d) for i, d in enumerate(digests or FILES)}
    value = {"_type": "link", "name": name, "materials": {}, "products": products, "command": []}
    return {**value, **more}


def block(value: dict[str, Any], *names: str) -> bytes:
    """Return an older in-toto file."""
    message = olpc(value)
    signatures = [{"keyid": person(n).keyid, "sig": person(n).sign(message).hex()} for n in names]
    return compact({"signatures": signatures, "signed": value})


BY_BOB = layout(step("bob"))
BOTH = layout(step("bob", "carol", threshold=2))
TWO_STEPS = layout(step("bob", name="fetch"), step("carol"))


def under_two_ids() -> dict[str, bytes]:
    """Two must; bob's key stands under a second id, and both ids are named by his link."""
    value = layout(step("bob", threshold=2))
    value["keys"][AGAIN] = {**key_value("bob"), "keyid": AGAIN}
    value["steps"][0]["pubkeys"].append(AGAIN)
    made = json.loads(envelope(link(), "bob"))
    made["signatures"].append({**made["signatures"][0], "keyid": AGAIN})
    return {"root.layout": envelope(value, "alice"), "build.link": compact(made)}


def bent() -> bytes:
    """Return bob's link with another byte in its signature."""
    made = json.loads(envelope(link(), "bob"))
    made["signatures"][0]["sig"] = "AAAA" + made["signatures"][0]["sig"][4:]
    return compact(made)


def strange_key() -> Any:
    """Return a layout whose only functionary has a key that nobody here judges."""
    value = layout(step("bob"))
    value["keys"][person("bob").keyid].update(keytype="ml-dsa", scheme="ml-dsa-65")
    return value


INSPECTS = layout(step("bob"), inspect=[{"_type": "inspection", "name": "x", "run": ["true"]}])

SOURCE = {"src/a": {"sha256": "ab" * 32}}
OTHER_SOURCE = {"src/a": {"sha256": "cd" * 32}}
FETCHED = link(name="fetch", products=SOURCE)


def chained(*materials: str, products: Any = ("DISALLOW *",)) -> bytes:
    """Return a layout of two steps, the second with rules."""
    second = ruled(step("carol"), materials, products)
    first = ruled(step("bob", name="fetch"), ["DISALLOW *"], ["CREATE src/*", "DISALLOW *"])
    return envelope(layout(first, second), "alice")


def both_links(**more: Any) -> dict[str, bytes]:
    """Return a link of each of the two steps."""
    made = link(**{"materials": SOURCE, **more})
    return {"a.link": envelope(FETCHED, "bob"), "b.link": envelope(made, "carol")}


MATCH, CREATED = "MATCH src/* WITH PRODUCTS FROM fetch", ("CREATE p?", "DISALLOW *")

# name, why, layout, links, code
ROWS: list[tuple[str, str, bytes, dict[str, bytes], str]] = [
    ("met", "One step, done by him who may; the layout has expired.",
     envelope(BY_BOB, "alice"), {"build.link": envelope(link(), "bob")}, ""),
    ("older_files", "The same in in-toto's older files.",
     block(BY_BOB, "alice"), {"build.link": block(link(), "bob")}, ""),
    ("of_two", "Two must have done it, and did.",
     envelope(BOTH, "alice"), {"a.link": envelope(link(), "bob"),
                               "b.link": envelope(link(), "carol")}, ""),
    ("two_sign_one", "Two signed one link.",
     envelope(BOTH, "alice"), {"a.link": envelope(link(), "bob", "carol")}, ""),
    ("steps", "Two steps, each by its own.",
     envelope(TWO_STEPS, "alice"),
     {"a.link": envelope(link(STRANGE, name="fetch"), "bob"),
      "b.link": envelope(link(), "carol")}, ""),
    ("link_more", "A link by a stranger beside the good one.",
     envelope(BY_BOB, "alice"), {"a.link": envelope(link(), "bob"),
                                 "b.link": envelope(link(STRANGE), "mallory")}, ""),
    ("stranger", "The layout is by a stranger.",
     envelope(BY_BOB, "mallory"), {"build.link": envelope(link(), "bob")},
     "attestation-untrusted"),
    ("no_link", "There is no link.", envelope(BY_BOB, "alice"), {}, UNMET),
    ("step_missing", "One of two steps has no link.",
     envelope(TWO_STEPS, "alice"), {"b.link": envelope(link(), "carol")}, UNMET),
    ("link_by_stranger", "The link is by a stranger.",
     envelope(BY_BOB, "alice"), {"build.link": envelope(link(), "mallory")}, UNMET),
    ("link_by_other", "The link is by a functionary of another step.",
     envelope(TWO_STEPS, "alice"),
     {"a.link": envelope(link(STRANGE, name="fetch"), "carol"),
      "b.link": envelope(link(), "carol")}, UNMET),
    ("link_unsigned", "The signature of the link is none.",
     envelope(BY_BOB, "alice"), {"build.link": bent()}, UNMET),
    ("one_of_two", "Two must have done it, and one did.",
     envelope(BOTH, "alice"), {"build.link": envelope(link(), "bob")}, UNMET),
    ("one_twice", "Two must have done it, and one did it twice.",
     envelope(BOTH, "alice"), {"a.link": envelope(link(), "bob"),
                               "b.link": envelope(link(command=["again"]), "bob")}, UNMET),
    ("products_differ", "Two made different things of it.",
     envelope(BOTH, "alice"), {"a.link": envelope(link(), "bob"),
                               "b.link": envelope(link(STRANGE), "carol")}, UNMET),
    ("materials_differ", "Two made it of different things.",
     envelope(BOTH, "alice"),
     {"a.link": envelope(link(), "bob"),
      "b.link": envelope(link(materials={"m": STRANGE}), "carol")}, UNMET),
    ("other_products", "What came of it is not what the kit carries.",
     envelope(BY_BOB, "alice"), {"build.link": envelope(link(STRANGE), "bob")}, UNMET),
    ("part_of_products", "What came of it is a part of what the kit carries.",
     envelope(BY_BOB, "alice"), {"build.link": envelope(link(FILES[0]), "bob")}, UNMET),
    ("rules", "What a step used is what another made, and nothing else.",
     chained(MATCH, "DISALLOW *", products=CREATED), both_links(), ""),
    ("rules_below", "The same, below a directory of one and of the other.",
     chained("MATCH a IN src WITH PRODUCTS IN src FROM fetch", "DISALLOW *", products=CREATED),
     both_links(), ""),
    ("rules_lower_case", "Words of rules in lower case.",
     chained("match src/* with products from fetch", "disallow *", products=CREATED),
     both_links(), ""),
    ("rules_match", "What a step used is not what the other made.",
     chained(MATCH, "DISALLOW *", products=CREATED), both_links(materials=OTHER_SOURCE), UNMET),
    ("rules_step", "It is to be what a step made that there is not.",
     chained("MATCH src/* WITH PRODUCTS FROM make", "DISALLOW *", products=CREATED),
     both_links(), UNMET),
    ("rules_disallow", "A step made more than it may.",
     chained(MATCH, products=("CREATE p0", "DISALLOW *")), both_links(), UNMET),
    ("rules_require", "A step did not use what it must.",
     chained("REQUIRE src/b", MATCH, products=CREATED), both_links(), UNMET),
    ("rules_create", "What was there before was not created.",
     chained("ALLOW *", products=CREATED),
     both_links(materials={"p0": FILES[0], "p1": FILES[1]}), UNMET),
    ("rules_modify", "What a step made of what was there.",
     chained("ALLOW *", products=("MODIFY p?", "DISALLOW *")),
     both_links(materials={"p0": STRANGE, "p1": STRANGE}), ""),
    ("rules_unknown", "A rule that is none.",
     chained("PERHAPS *", products=CREATED), both_links(), "evidence-malformed"),
    ("rules_short", "A rule that is not whole.",
     chained("MATCH src/* WITH PRODUCTS", products=CREATED), both_links(), "evidence-malformed"),
    ("inspects", "It has an inspection: a command that whoever verifies would run.",
     envelope(INSPECTS, "alice"), {"build.link": envelope(link(), "bob")}, "layout-inspects"),
    ("key_unknown", "Its functionary has a key of a scheme that this verifier does not know.",
     envelope(strange_key(), "alice"), {"build.link": envelope(link(), "bob")},
     "evidence-algorithm-unknown"),
]  # fmt: skip

TABLE = [
    PolicyCase(
        f"layout_{name}",
        why,
        ASKED,
        {"root.layout": chain, **links},
        code=code,
        roots=(),
    )
    for name, why, chain, links, code in ROWS
]
TABLE += [
    PolicyCase("layout_absent", "There is no layout.", ASKED, code="attestation-missing",
               roots=()),
    PolicyCase("layout_key_twice", "One key under two ids counts once.", ASKED,
               under_two_ids(), code=UNMET, roots=()),
    PolicyCase("layout_later", "It is given beside the kit, and so is its link.", ASKED,
               given=(envelope(BY_BOB, "alice"), envelope(link(), "bob")), roots=()),
]  # fmt: skip
