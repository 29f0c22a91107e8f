// Lambda's own runtime client for Node.js, but for its native part, which has to be compiled with cmake and g++.
// Use: node runtime.mjs HANDLER, in the function's folder.
import Module from "node:module";
import { fileURLToPath } from "node:url";

const replacement = fileURLToPath(new URL("rapid-client.cjs", import.meta.url));
// Not registerHooks: Node.js 18 and 20 have none.
const resolve = Module._resolveFilename;
Module._resolveFilename = (name, ...rest) => (name === "./rapid-client.node" ? replacement : resolve(name, ...rest));
// Not at the top: it would be loaded before the line above.
const { run } = await import("aws-lambda-ric");
await run(process.cwd(), process.argv[2]);
