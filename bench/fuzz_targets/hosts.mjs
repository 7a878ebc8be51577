// The extension's reader of hosts: a JSON text a line in, [host, address, port] or [] a line out.

import { createInterface } from "node:readline";
import { readDestination } from "../../extension/core/normalise.js";

for await (const line of createInterface({ input: process.stdin })) {
  const { host, address, port, problem } = readDestination(JSON.parse(line));
  process.stdout.write(`${JSON.stringify(problem ? [] : [host, address, port])}\n`);
}
