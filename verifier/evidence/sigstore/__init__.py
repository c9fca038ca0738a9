"""sigstore bundles, verified offline with the standard library alone.

`verifier.evidence.sigstore.verify.verify_bundle` is the way in; docs/explanation/sigstore.md says
what is checked, in which order, and what is not.  The modules, from the ground up: `asn1` and
`keys` read DER; `x509` and `chain` are certificates and who issued them; `sct` is certificate
transparency; `merkle`, `checkpoint`, `entries` and `rekor` are the transparency log; `timestamp` is
RFC 3161; `roots`, `bundle` and `identity` are the three inputs; `errors` is what is said of them.
"""
