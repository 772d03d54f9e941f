// Bundles one logic with esbuild, makes it a component with componentize-qjs, and has tsc check its types meanwhile.
//
// Called by `stk` as `node driver.mjs <order>`, where the order is JSON: {entry, dir, sdk, wit}. Stdout is a line of JSON,
// {inputs}, and the component; what the developer should read goes to stderr.

import { spawn } from "node:child_process";
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build, formatMessages } from "esbuild";
import { componentize } from "componentize-qjs";

const order = JSON.parse(process.argv[2]);
try {
  const [{ bundle, component }] = await Promise.all([made(order), checked(order)]);
  process.stdout.write(`${JSON.stringify({ inputs: bundle.inputs })}\n`);
  process.stdout.write(component);
} catch (error) {
  process.stderr.write(`${error.explained ?? error.message ?? error}\n`);
  process.exitCode = 1;
}

async function made(order) {
  const bundle = await bundled(order);
  const { component } = await componentized(order, bundle);
  return { bundle, component };
}

/** One ES module that imports nothing but the host's interfaces. */
async function bundled({ entry, dir, sdk }) {
  let result;
  try {
    result = await build({
      stdin: {
        contents: `import logic from ${JSON.stringify(entry)};\nexport const handler = logic;\n`,
        resolveDir: dir,
        sourcefile: "santokit:entry",
      },
      absWorkingDir: dir,
      alias: { "@santokit/guest": join(sdk, "src/index.ts") },
      bundle: true,
      external: ["santokit:*"],
      format: "esm",
      inject: [join(sdk, "src/globals.ts")],
      legalComments: "none",
      logLevel: "silent",
      mainFields: ["module", "main"],
      metafile: true,
      outfile: "bundle.js",
      platform: "neutral",
      sourcemap: "external",
      target: "es2023",
      write: false,
    });
  } catch (error) {
    if (!error.errors) throw error;
    error.explained = (await formatMessages(error.errors, { kind: "error" })).join("") + hints(error.errors);
    throw error;
  }
  const [map, code] = ["bundle.js.map", "bundle.js"].map(
    (name) => result.outputFiles.find((file) => file.path.endsWith(name)).text,
  );
  const inputs = Object.keys(result.metafile.inputs);
  const outputs = Object.values(result.metafile.outputs);
  const name = (path) => sourceName(resolve(dir, path), dir, sdk);
  return {
    code: renamed(code, inputs, name) + lineTable(JSON.parse(map), name),
    imports: [...new Set(outputs.flatMap((file) => file.imports).filter((one) => one.external).map((one) => one.path))].sort(),
    inputs: inputs.filter((input) => !/^(santokit:|<)/.test(input)).map((input) => resolve(dir, input)),
  };
}

/** The path as the developer knows it; the same on every machine. */
function sourceName(path, dir, sdk) {
  return path.startsWith(join(sdk, "src")) ? `@santokit/guest/${relative(join(sdk, "src"), path)}` : relative(dir, path);
}

/** The bundle with its comments about paths made the same on every machine: a component is known by its digest. */
function renamed(code, inputs, name) {
  const known = new Set(inputs);
  return code.replace(/^\/\/ (.+)$/gm, (comment, path) => (known.has(path) ? `// ${name(path)}` : comment));
}

function hints(errors) {
  const texts = errors.map((error) => error.text).join("\n");
  if (/No matching export .* for import "default"/.test(texts)) {
    return "the module must have a default export: export default logic<Input, Output>((input) => …)\n";
  }
  if (/Could not resolve "node:|Could not resolve "(fs|http|net|path|crypto)"/.test(texts)) {
    return "a logic has no Node.js: files, network and processes are not there; see @santokit/guest for what is\n";
  }
  if (/Could not resolve/.test(texts)) {
    return "if this is an npm package, install it in the logic's folder first (npm install)\n";
  }
  return "";
}

/**
 * Type errors are errors: esbuild only drops types. The developer's tsconfig.json counts where there is one, and mistakes
 * in the SDK's own sources under its settings do not.
 */
async function checked({ entry, dir, sdk }) {
  if (!/\.m?ts$/.test(entry)) return;
  const own = join(dir, "tsconfig.json");
  const text = await readFile(own, "utf8").catch(() => undefined);
  const config = {
    ...(text === undefined ? {} : { extends: own }),
    compilerOptions: {
      ...(text === undefined ? { target: "es2024", lib: ["esnext"], strict: true, skipLibCheck: true, types: [] } : {}),
      module: "preserve",
      moduleResolution: "bundler",
      noEmit: true,
      allowImportingTsExtensions: true,
      paths: { ...ownPaths(text, dir), "@santokit/guest": [join(sdk, "src/index.ts")] },
    },
    files: [entry, join(sdk, "src/host.d.ts")],
    include: [],
  };
  const folder = await mkdtemp(join(tmpdir(), "stk-tsc-"));
  try {
    await writeFile(join(folder, "tsconfig.json"), JSON.stringify(config));
    const tsc = join(dirname(fileURLToPath(import.meta.url)), "node_modules/typescript/bin/tsc");
    const said = await output([tsc, "-p", folder, "--pretty", "false"], dir);
    const inSdk = relative(dir, sdk);
    const errors = said.split(/\n(?! )/).filter((line) => line.includes("error TS") && !line.startsWith(inSdk));
    if (errors.length > 0) throw Object.assign(new Error("type errors"), { explained: errors.join("\n") });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The developer's own path aliases, where their tsconfig.json is plain JSON. */
function ownPaths(text, dir) {
  try {
    const { baseUrl = ".", paths = {} } = JSON.parse(text).compilerOptions;
    const absolute = (places) => places.map((place) => resolve(dir, baseUrl, place));
    return Object.fromEntries(Object.entries(paths).map(([name, places]) => [name, absolute(places)]));
  } catch {
    return {};
  }
}

/** What a Node script says on stdout, however it ends. */
function output(script, cwd) {
  return new Promise((done, failed) => {
    const child = spawn(process.execPath, script, { cwd, stdio: ["ignore", "pipe", "inherit"] });
    let said = "";
    child.stdout.setEncoding("utf8").on("data", (part) => (said += part));
    child.on("error", failed).on("close", () => done(said));
  });
}

/** The component imports only what the bundle names, so that its imports show what it can do. */
async function componentized({ wit }, { code, imports }) {
  const folder = await mkdtemp(join(tmpdir(), "stk-wit-"));
  try {
    await mkdir(join(folder, "deps"));
    await cp(wit, join(folder, "deps"), { recursive: true });
    const lines = imports.map((name) => `  import ${name};\n`).join("");
    const world = `package santokit:bundle;\n\nworld logic {\n${lines}  export santokit:logic/handler@0.1.0;\n}\n`;
    await writeFile(join(folder, "world.wit"), world);
    return await componentize({ witPath: folder, world: "logic", jsSource: code, stubWasi: true, sync: true });
  } catch (error) {
    error.explained = explained(error.message ?? String(error));
    throw error;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The module is run once while it is built, and its state is kept: what it does outside the handler can fail here. */
function explained(message) {
  const call = /unknown import: `santokit:([^`]+)`/.exec(message);
  if (call) {
    return `the module calls the host (${call[1]}) while it is loaded\nmove what needs the host (new Date(), Math.random(), config.get(), sql.open(), …) into the handler`;
  }
  const thrown = /Failed to finish JavaScript module evaluation: ([^]*)/.exec(message);
  return thrown ? `the module throws while it is loaded: ${thrown[1]}` : `componentize-qjs: ${message}`;
}

/** A statement behind the bundle that tells which source line each of its lines came from (see the SDK's stack.ts). */
function lineTable({ sources, mappings }, name) {
  let [source, line] = [0, 0];
  const lines = mappings.split(";").map((segments) => {
    let first = 0;
    for (const segment of segments.split(",")) {
      const fields = vlq(segment);
      if (fields.length < 4) continue;
      source += fields[1];
      line += fields[2];
      first ||= [source, line + 1];
    }
    return first;
  });
  return `\nglobalThis.santokitLines = ${JSON.stringify({ sources: sources.map(name), lines })};\n`;
}

/** The numbers of one segment of a source map. */
function vlq(segment) {
  const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const numbers = [];
  let [value, shift] = [0, 0];
  for (const character of segment) {
    const digit = digits.indexOf(character);
    value |= (digit & 31) << shift;
    shift += 5;
    if (digit & 32) continue;
    numbers.push(value & 1 ? -(value >> 1) : value >> 1);
    [value, shift] = [0, 0];
  }
  return numbers;
}
