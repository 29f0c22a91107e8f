// Lambda's own runtime client for Node.js, but for its native part, which has to be compiled with cmake and g++.
// Use: node runtime.mjs HANDLER, in the function's folder.
import { registerHooks } from "node:module";

const replacement = `${import.meta.dirname}/rapid-client.cjs`;
registerHooks({
  resolve: (name, context, next) => next(name === "./rapid-client.node" ? replacement : name, context),
});
// Not at the top: imports there are resolved before the hook is in place.
const { run } = await import("aws-lambda-ric");
await run(process.cwd(), process.argv[2]);
