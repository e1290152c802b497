// Compiles every contract under src/ and writes artifacts/<Name>.json. With --check it writes nothing and fails when
// the sources do not give exactly the committed artifacts.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import solc from "solc";

const ROOT = dirname(fileURLToPath(import.meta.url));
const SRC = join(ROOT, "src");
const ARTIFACTS = join(ROOT, "artifacts");

// GoQuorum 22.7 runs Berlin at most: no PUSH0, no MCOPY, no transient storage. Without the metadata hash the bytecode
// depends on nothing but the sources and these settings.
const SETTINGS = {
  evmVersion: "berlin",
  viaIR: true,
  optimizer: { enabled: true, runs: 200 },
  metadata: { bytecodeHash: "none" },
};

// EIP-170; networks may allow more, but nothing here should need it.
const CODE_SIZE_LIMIT_BYTES = 24_576;

function sources(dir) {
  return readdirSync(dir, { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = join(dir, entry.name);
      if (entry.isDirectory()) return sources(path);
      return entry.name.endsWith(".sol") ? [path] : [];
    });
}

function readImport(path) {
  try {
    return { contents: readFileSync(join(ROOT, "node_modules", path), "utf8") };
  } catch (error) {
    return { error: `${path}: ${error.message}` };
  }
}

function compile() {
  const names = sources(SRC).map((path) => relative(ROOT, path).split(sep).join("/"));
  const input = {
    language: "Solidity",
    sources: Object.fromEntries(names.map((name) => [name, { content: readFileSync(join(ROOT, name), "utf8") }])),
    settings: {
      ...SETTINGS,
      outputSelection: { "*": { "*": ["abi", "evm.bytecode.object", "evm.deployedBytecode.object"] } },
    },
  };
  const output = JSON.parse(solc.compile(JSON.stringify(input), { import: readImport }));
  const problems = output.errors ?? [];
  for (const problem of problems) console.error(problem.formattedMessage);
  if (problems.length > 0) {
    throw new Error("the compiler must have nothing to say, warnings included");
  }
  return names.flatMap((name) =>
    Object.entries(output.contracts[name] ?? {}).map(([contractName, contract]) => artifact(name, contractName, contract)),
  );
}

function artifact(sourceName, contractName, contract) {
  return {
    contractName,
    sourceName,
    compiler: { name: "solc", version: solc.version(), settings: SETTINGS },
    abi: contract.abi,
    bytecode: `0x${contract.evm.bytecode.object}`,
    deployedBytecode: `0x${contract.evm.deployedBytecode.object}`,
  };
}

// Fixtures are what the tests deploy besides; they stay apart from what a network gets.
function pathOf(item) {
  const folder = item.sourceName.startsWith("src/fixtures/") ? join(ARTIFACTS, "fixtures") : ARTIFACTS;
  return join(folder, `${item.contractName}.json`);
}

function render(items) {
  const files = new Map();
  for (const item of items) {
    // Interfaces and abstract contracts have no code; libraries are compiled into their callers.
    if (item.bytecode === "0x" || item.sourceName.startsWith("src/libs/")) continue;
    const size = (item.deployedBytecode.length - 2) / 2;
    if (size > CODE_SIZE_LIMIT_BYTES) throw new Error(`${item.contractName}: ${size} bytes of code`);
    if (files.has(pathOf(item))) throw new Error(`${item.contractName} is defined twice`);
    files.set(pathOf(item), `${JSON.stringify(item, null, 2)}\n`);
  }
  return files;
}

function committed() {
  try {
    return readdirSync(ARTIFACTS, { recursive: true })
      .filter((name) => name.endsWith(".json"))
      .map((name) => join(ARTIFACTS, name));
  } catch {
    return [];
  }
}

function check(files) {
  const wrong = committed().filter((path) => !files.has(path)).map((path) => `${path}: no source gives it`);
  for (const [path, text] of files) {
    let found = null;
    try {
      found = readFileSync(path, "utf8");
    } catch {
      // Reported below like any other difference.
    }
    if (found !== text) wrong.push(`${path}: differs from what the sources give`);
  }
  if (wrong.length > 0) throw new Error(`run \`npm run build\` and commit the artifacts:\n${wrong.join("\n")}`);
}

function write(files) {
  for (const path of committed()) rmSync(path);
  for (const [path, text] of files) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
}

const files = render(compile());
if (process.argv.includes("--check")) {
  check(files);
} else {
  write(files);
}
console.log(`${files.size} artifacts ${process.argv.includes("--check") ? "are what the sources give" : "written"}`);
