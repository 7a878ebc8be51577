// Prints every text that the extension says through `say` and `sayIn`, and every place where it
// cannot tell what is said. Run in the folder that holds espree.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const espree = await import(createRequire(`${process.cwd()}/`).resolve("espree"));
const texts = new Set();
const unclear = [];

class File {
  constructor(path) {
    this.path = path;
    this.constants = new Map();
    this.tree = espree.parse(readFileSync(path, "utf8"), { ecmaVersion: "latest", sourceType: "module", loc: true });
    this.visit(this.tree, [], (node) => {
      if (node.type === "VariableDeclarator" && node.id.type === "Identifier" && node.init) {
        this.constants.set(node.id.name, [...(this.constants.get(node.id.name) ?? []), node.init]);
      }
    });
    this.visit(this.tree, [], (node, above) => this.readCall(node, above));
  }

  visit(node, above, see) {
    see(node, above);
    for (const [name, value] of Object.entries(node)) {
      if (name === "loc") continue;
      for (const child of [value].flat()) if (child?.type) this.visit(child, [...above, node], see);
    }
  }

  readCall(node, above) {
    if (node.type !== "CallExpression") return;
    const name = node.callee.name ?? node.callee.property?.name;
    const isWrapper = above.at(-1)?.type === "ArrowFunctionExpression" && above.at(-2)?.id?.name === "say";
    if (isWrapper) return;
    if (name === "say") this.collect(node.arguments[0], above, "");
    if (name === "sayIn") this.collect(node.arguments[1], above, `${node.arguments[0].value}\u0004`);
  }

  collect(node, above, context) {
    if (node.type === "Literal") texts.add(context + node.value);
    else if (node.type === "ConditionalExpression") [node.consequent, node.alternate].map((it) => this.collect(it, above, context));
    else if (node.type === "LogicalExpression") [node.left, node.right].map((it) => this.collect(it, above, context));
    else if (node.type === "ObjectExpression") node.properties.map((it) => this.collect(it.value, above, context));
    else if (node.type === "ArrayExpression") node.elements.map((it) => this.collect(it, above, context));
    else this.follow(node, above, context);
  }

  /**
   * A constant of the file by its name, an entry of one, or an entry that a loop goes through. Names
   * are not told apart by function: rather a text too many than one too few.
   */
  follow(node, above, context) {
    const name = node.type === "MemberExpression" ? node.object.name : node.name;
    const found = [...(this.constants.get(name) ?? []), ...this.loopedOver(above)];
    for (const constant of found) if (constant !== node) this.collect(constant, above, context);
    if (!found.length) unclear.push(`${this.path}:${node.loc.start.line}`);
  }

  loopedOver(above) {
    const loops = above.map((node) => node.callee?.object?.type === "CallExpression" && node.callee.object);
    const entries = loops.filter((loop) => loop && loop.callee.object?.name === "Object");
    return entries.flatMap((loop) => this.constants.get(loop.arguments[0].name) ?? []);
  }
}

for (const path of process.argv.slice(2)) new File(path);
console.log(JSON.stringify({ texts: [...texts].sort(), unclear }));
