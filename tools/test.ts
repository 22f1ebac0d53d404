/**
 * `npm test`: the checks, then every test file. Arguments go to tap: `npm test -- packages/core/test/dedup.test.ts`.
 * A failed check counts as one failed test. With CI set, a skipped test fails the run: nothing opts out silently there.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { COORDINATOR_SOCKET, startCoordinator } from "@winnow/devservers";
import { installedCommand, toolOptions } from "./run-tool.ts";
import { formatTally, parseTally, type Tally } from "./tally.ts";

async function runChecks(): Promise<Tally> {
  const child = spawn(process.execPath, ["tools/check.ts"], { ...toolOptions(), stdio: "inherit" });
  const code = await exitCode(child);
  return code === 0 ? { passed: 1, failed: 0, skipped: 0 } : { passed: 0, failed: 1, skipped: 0 };
}

/** Runs tap and passes its output on, all but the tally. `runFolder`: where test files find what they share. */
async function runTap(args: readonly string[], runFolder: string): Promise<Tally> {
  const options = toolOptions();
  const child = spawn(process.execPath, [installedCommand("tap"), ...args], {
    ...options,
    env: { ...options.env, WINNOW_TEST_RUN: runFolder },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = exitCode(child);
  let tally: Tally | undefined;
  if (child.stdout !== null) {
    for await (const line of createInterface({ input: child.stdout })) {
      const parsed = parseTally(line);
      if (parsed === undefined) {
        process.stdout.write(`${line}\n`);
      }
      tally = parsed ?? tally;
    }
  }
  const code = await exited;
  const counted = tally ?? { passed: 0, failed: 0, skipped: 0 };
  // tap may fail without a failed assertion: no test file found, a broken setting, a lost process.
  return code !== 0 && counted.failed === 0 ? { ...counted, failed: 1 } : counted;
}

/** The real servers of the run: started when a test file first asks for one, stopped here. See test/real-servers. */
async function runTapWithServers(args: readonly string[]): Promise<Tally> {
  const folder = mkdtempSync(join(tmpdir(), "winnow-test-"));
  const servers = await startCoordinator(join(folder, COORDINATOR_SOCKET));
  const stop = async (): Promise<void> => {
    await servers.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  for (const [signal, code] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["SIGHUP", 129],
  ] as const) {
    process.once(signal, () => {
      void stop().finally(() => process.exit(code));
    });
  }
  const tally = await runTap(args, folder);
  for (const { kind, reason } of await servers.unavailable()) {
    process.stdout.write(`NO ${kind.toUpperCase()} HERE, its tests were skipped: ${reason}\n`);
  }
  await stop();
  return tally;
}

async function exitCode(child: ReturnType<typeof spawn>): Promise<number> {
  return await new Promise((settle, fail) => {
    child.on("error", fail);
    child.on("exit", (code) => {
      settle(code ?? 1);
    });
  });
}

async function main(args: readonly string[]): Promise<void> {
  const checks = await runChecks();
  const tests = await runTapWithServers(args);
  const tally = {
    passed: checks.passed + tests.passed,
    failed: checks.failed + tests.failed,
    skipped: checks.skipped + tests.skipped,
  };
  const isSkipRefused = tally.skipped > 0 && (process.env["CI"] ?? "") !== "";
  if (checks.failed > 0) {
    process.stdout.write("The checks failed, see above: npm run check.\n");
  }
  if (tally.skipped > 0) {
    process.stdout.write(
      `${tally.skipped} tests were SKIPPED, see above.${isSkipRefused ? " CI refuses that." : ""}\n`,
    );
  }
  process.stdout.write(`${formatTally(tally)}\n`);
  process.exitCode = tally.failed > 0 || isSkipRefused ? 1 : 0;
}

await main(process.argv.slice(2));
