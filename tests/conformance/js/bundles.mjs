// A judge that is not ours: sigstore's verifier for JavaScript, with a trusted root and no network.
//
//     node bundles.mjs TRUSTED_ROOT.json < BUNDLES
//
// Each line of standard input is JSON: {bundle, artifact, identity, issuer} or {bundle, artifact, key};
// the bundle and the artifact are base64, the key is PEM. For each a line comes out: "good", or the
// verifier's own code.
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { bundleFromJSON } from "@sigstore/bundle";
import { crypto } from "@sigstore/core";
import { TrustedRoot } from "@sigstore/protobuf-specs";
import { toSignedEntity, toTrustMaterial, Verifier } from "@sigstore/verify";

const root = TrustedRoot.fromJSON(JSON.parse(readFileSync(process.argv[2], "utf8")));

function judge({ bundle, artifact, identity, issuer, key }) {
  const parsed = bundleFromJSON(JSON.parse(Buffer.from(bundle, "base64").toString("utf8")));
  const publicKey = key && crypto.createPublicKey(key);
  const keyOf = (hint) => ({ publicKey, hint, validFor: () => true });
  const options = { ctlogThreshold: 1, tlogThreshold: 1, timestampThreshold: key ? 0 : 1 };
  const verifier = new Verifier(toTrustMaterial(root, key ? keyOf : undefined), options);
  const data = parsed.content.$case === "messageSignature" ? Buffer.from(artifact, "base64") : undefined;
  const policy = key ? undefined : { subjectAlternativeName: `^${escape(identity)}$`, extensions: { issuer } };
  verifier.verify(toSignedEntity(parsed, data), policy);
}

const escape = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

for await (const line of createInterface({ input: process.stdin })) {
  try {
    judge(JSON.parse(line));
    console.log("good");
  } catch (error) {
    console.log(`${error.code ?? error.constructor.name}`);
  }
}
