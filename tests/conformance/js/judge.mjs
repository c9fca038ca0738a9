// A judge that is not ours: sigstore's verifier for JavaScript, with a key given and no network.
//
//     node judge.mjs BUNDLE KEY.pem [FILE]
//
// FILE is what a message bundle is about; a DSSE bundle brings its own payload, whose statement is
// printed. Exit status 0: good; 1: refused, with the verifier's own code; 2: not asked properly.
import { readFileSync } from "node:fs";
import { bundleFromJSON } from "@sigstore/bundle";
import { crypto } from "@sigstore/core";
import { toSignedEntity, toTrustMaterial, Verifier } from "@sigstore/verify";

const [bundleFile, keyFile, dataFile] = process.argv.slice(2);
if (!keyFile) {
  console.error("usage: node judge.mjs BUNDLE KEY.pem [FILE]");
  process.exit(2);
}
const trustedRoot = {
  mediaType: "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
  tlogs: [],
  certificateAuthorities: [],
  ctlogs: [],
  timestampAuthorities: [],
};
const publicKey = crypto.createPublicKey(readFileSync(keyFile, "utf8"));
const keyOf = (hint) => ({ publicKey, hint, validFor: () => true });
const nothing = { tlogThreshold: 0, ctlogThreshold: 0, tsaThreshold: 0, timestampThreshold: 0 };

try {
  const bundle = bundleFromJSON(JSON.parse(readFileSync(bundleFile, "utf8")));
  const data = dataFile && readFileSync(dataFile);
  const verifier = new Verifier(toTrustMaterial(trustedRoot, keyOf), nothing);
  verifier.verify(toSignedEntity(bundle, data));
  console.log("Verified OK");
  if (bundle.content.$case === "dsseEnvelope") {
    console.log(JSON.parse(bundle.content.dsseEnvelope.payload).predicateType);
  }
} catch (error) {
  console.error(`${error.constructor.name} ${error.code ?? ""}: ${error.message}`);
  process.exit(1);
}
