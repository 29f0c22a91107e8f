// What the native part of Lambda's runtime client does (src/rapid-client.cc), with the same effect on the event loop:
// `next` waits in another thread, so timers and sockets go on; `done` and `error` block this one until the answer.
// With the native part the freeze comes 1.0 ms after COM_QUIT, with this one 2.2 ms: it lets more answers win, not fewer.
const http = require("node:http");
const { Worker, isMainThread, parentPort } = require("node:worker_threads");

const API = `http://${process.env.AWS_LAMBDA_RUNTIME_API}/2018-06-01/runtime/invocation`;

if (isMainThread) {
  const worker = new Worker(__filename, { execArgv: [] });
  const posted = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  const post = (path, body, headers) => {
    Atomics.store(posted, 0, 0);
    worker.postMessage({ method: "POST", path, body, headers, posted });
    Atomics.wait(posted, 0, 0);
  };
  worker.unref(); // like the native one, it keeps the process alive only while it waits for the next event
  exports.next = () =>
    new Promise((resolve) => {
      worker.ref();
      worker.once("message", (event) => {
        worker.unref();
        resolve(event);
      });
      worker.postMessage({ method: "GET", path: "next" });
    });
  exports.done = (id, body) => post(`${id}/response`, body, {});
  exports.error = (id, body, cause) => post(`${id}/error`, body, { "Lambda-Runtime-Function-XRay-Error-Cause": cause });
} else {
  const agent = new http.Agent({ keepAlive: true });
  parentPort.on("message", ({ method, path, body, headers, posted }) => {
    const length = body === undefined ? {} : { "Content-Length": Buffer.byteLength(body) };
    const options = { agent, method, headers: { ...headers, ...length } };
    const request = http.request(`${API}/${path}`, options, (response) => {
      let bodyJson = "";
      response.setEncoding("utf8");
      response.on("data", (chunk) => (bodyJson += chunk));
      response.on("end", () => {
        if (posted) {
          Atomics.store(posted, 0, 1);
          Atomics.notify(posted, 0);
        } else {
          parentPort.postMessage({ bodyJson, headers: response.headers });
        }
      });
    });
    request.end(body);
  });
}
