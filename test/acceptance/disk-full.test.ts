import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import t, { type Test } from "tap";
import { admitPatient, fillDisk, floorBytes, freeDisk, type Patient } from "../torture/disk-trouble.ts";
import { failSyncs, findStrace } from "../torture/fail-syncs.ts";
import type { Attempt } from "../torture/history.ts";
import { mountProblem, openScratch } from "../torture/scratch.ts";

t.setTimeout(600_000);

const seed = Number(process.env["WINNOW_TORTURE_SEED"] ?? 20_263);
const tmpfs = ["-t", "tmpfs", "-o", "size=80m", "tmpfs"];
const noMount = mountProblem(tmpfs) ?? false;
const strace = await findStrace();
const noStrace = "unavailable" in strace ? strace.unavailable : false;
const patienceMs = 30_000;
const refusalsMin = 40;
/** Free space is looked at once a second; until then what finds room in a file's last page is stored, and said so. */
const spaceCheckMs = 1_500;

const isRefused = ({ outcome }: Attempt): boolean => outcome === "refused";
const isAcked = ({ outcome }: Attempt): boolean => outcome === "acked";

/**
 * Waits for the first refusal, then for `refusalsMin` of requests that were sent `graceMs` after it or later. Resolves
 * with every attempt that was sent from then on.
 */
async function watchRefusals(patient: Patient, graceMs: number): Promise<readonly Attempt[]> {
  const first = await patient.history.next(isRefused, patienceMs);
  const isLater = ({ t: at, ms }: Attempt): boolean => at - ms >= first.t + graceMs;
  for (let seen = 0; seen < refusalsMin; seen += 1) {
    await patient.history.next((attempt) => isRefused(attempt) && isLater(attempt), patienceMs);
  }
  return patient.attempts().filter(isLater);
}

function checkRefusals(t: Test, refusals: readonly Attempt[]): void {
  t.same([...new Set(refusals.map(({ status }) => status))], [503], "every answer was 503, and none a 2xx");
  const retryAfters = refusals.map(({ retryAfter }) => Number(retryAfter));
  t.ok(
    retryAfters.every((seconds) => seconds >= 1),
    "with Retry-After",
  );
}

async function checkRecovery(t: Test, patient: Patient): Promise<void> {
  await patient.history.next(isAcked, patienceMs);
  t.ok(await untilReady(patient), "it says that it is ready again");
  process.kill(patient.pid, 0);
  t.pass("the process is the one that was started");
}

/** Readiness comes back a little after the first alert is taken. */
async function untilReady({ api }: Patient): Promise<boolean> {
  const end = performance.now() + patienceMs;
  while (performance.now() < end) {
    if ((await api.get("/readyz")).status === 200) return true;
    await pause(100);
  }
  return false;
}

await t.test(
  "a full disk is answered with 503, and alerts are taken again once there is room",
  { skip: noMount },
  async (t) => {
    const scratch = openScratch();
    t.teardown(() => scratch.cleanUp());
    const disk = scratch.mount("disk", tmpfs);
    const ballast = join(disk, "ballast");
    const patient = await admitPatient(scratch, disk, seed);
    await patient.history.next(isAcked, patienceMs);

    for (const { leave, graceMs, what } of [
      { leave: floorBytes * 0.75, graceMs: 0, what: "below the floor" },
      { leave: 0, graceMs: spaceCheckMs, what: "with no byte left" },
    ]) {
      fillDisk(ballast, leave);
      const refusals = await watchRefusals(patient, graceMs);
      t.comment(`${what}: ${refusals.length} refusals`);
      checkRefusals(t, refusals);
      const { status, value } = await patient.api.get<{ checks: { name: string; ok: boolean }[] }>("/readyz");
      t.equal(status, 503, `${what} it says that it is not ready`);
      t.notOk(value.checks.find(({ name }) => name === "log")?.ok, "because of its log");
      freeDisk(ballast);
      await checkRecovery(t, patient);
    }
    const { verdict, replayed } = await patient.conclude();
    t.same(verdict.problems, [], "nothing that was acknowledged is lost, nothing is doubled");
    t.equal(replayed.isEqual ? "equal" : replayed.text, "equal", "the log replayed gives the stored states");
  },
);

await t.test(
  "when fsync fails nothing is acknowledged, and it recovers without a restart",
  { skip: noStrace },
  async (t) => {
    const scratch = openScratch();
    t.teardown(() => scratch.cleanUp());
    if ("unavailable" in strace) throw new Error("the test should have been skipped");
    const patient = await admitPatient(scratch, scratch.path, seed);
    await patient.history.next(isAcked, patienceMs);
    const failure = await failSyncs(patient.pid, strace);
    const refusals = await watchRefusals(patient, 0);
    checkRefusals(t, refusals);
    await failure.stop();
    await checkRecovery(t, patient);
    const { verdict, replayed } = await patient.conclude();
    t.same(verdict.problems, [], "nothing that was acknowledged is lost, nothing is doubled");
    t.equal(replayed.isEqual ? "equal" : replayed.text, "equal", "the log replayed gives the stored states");
  },
);
