import type { Accounting } from "@winnow/contracts";
import { type Api, openApi } from "../client/api.ts";
import { CommandFailed, type ExitCode, exitCodes } from "./exit-codes.ts";
import { type Invocation, show } from "./invocation.ts";
import type { Terminal } from "./terminal.ts";
import { plain } from "./words.ts";

interface Finding {
  readonly name: string;
  readonly status: "ok" | "warning" | "failed";
  readonly detail: string;
  /** What to do about it; null where all is well. */
  readonly fix: string | null;
}

interface Readiness {
  readonly status: string;
  readonly checks: readonly Check[];
}

interface Check {
  readonly name: string;
  readonly ok: boolean;
  readonly detail: string;
  readonly codes?: readonly string[];
}

/** `winnow doctor`: asks everything that can be asked from outside. Exit 1 when something failed, 5 when nobody answers. */
export async function doctor(invocation: Invocation): Promise<number> {
  const { options, terminal } = invocation;
  const api = await openApi(terminal, options);
  const findings: Finding[] = [];
  const alive = await attempt("reachable", async () => {
    await api.get("healthz");
    return [{ name: "reachable", status: "ok", detail: api.url, fix: null }];
  });
  findings.push(...alive.findings);
  if (alive.exitCode === exitCodes.ok) {
    const rest = [
      await attempt("ready", async () => await readiness(api)),
      await attempt("token", async () => await bookkeeping(api)),
      await attempt("deliveries", async () => await deliveries(api)),
      await attempt("dead letters", async () => await deadLetters(api)),
    ];
    findings.push(...rest.flatMap((one) => one.findings));
  }
  const isFine = findings.every(({ status }) => status !== "failed");
  await show(invocation, { ok: isFine, findings }, () => findings.map((one) => line(one, terminal)).join(""));
  if (alive.exitCode !== exitCodes.ok) return alive.exitCode;
  return isFine ? exitCodes.ok : exitCodes.failed;
}

async function attempt(
  name: string,
  look: () => Promise<readonly Finding[]>,
): Promise<{ findings: readonly Finding[]; exitCode: ExitCode }> {
  try {
    return { findings: await look(), exitCode: exitCodes.ok };
  } catch (error) {
    if (!(error instanceof CommandFailed)) throw error;
    const finding: Finding = { name, status: "failed", detail: error.message, fix: error.hint };
    return { findings: [finding], exitCode: error.exitCode };
  }
}

/** What to do about a failed check of /readyz, by the code of its error. */
const fixesByCode: Readonly<Record<string, string>> = {
  engine_too_new:
    "an upgrade is half done: stop every node, start the version that ran before, and stop it in good order (SIGTERM) once its doctor says that its part is done; then start this version",
  engine_too_old: "an upgrade goes on: this version has done its part; stop it and start the newer one",
  log_refused: "grant at the log's servers what the detail says: Winnow goes on by itself",
  store_unsuitable: "change at the server what the detail says: Winnow goes on by itself",
  log_record_too_large: "raise the limit of the log's topic: Winnow goes on by itself",
};

/** The same by words in its name. */
const fixes: readonly (readonly [pattern: RegExp, fix: string])[] = [
  [/log|disk|space/, "free space on the data directory's disk: Winnow takes alerts again by itself"],
  [/store|window|incident/, "see the log of `winnow up` for the store's error; the disk may be full or failing"],
  [
    /partition|correlator|router|stage/,
    "do what the detail says (its code is in docs/errors.md), then restart: a partition that stopped goes on from there",
  ],
  [/config|rules|reload/, "run `winnow config check`, mend it, and reload with SIGHUP"],
  [/destination|delivery/, "look at `winnow get deliveries --state unknown,parked,dead`"],
];

async function readiness(api: Api): Promise<readonly Finding[]> {
  const { body } = await api.send("GET", "readyz", { accept: [503] });
  const { status, checks } = body as Readiness;
  const failed = checks.filter((check) => !check.ok);
  const summary: Finding =
    failed.length === 0 && (status === "ready" || status === "ok")
      ? { name: "ready", status: "ok", detail: `${checks.length} checks pass`, fix: null }
      : {
          name: "ready",
          status: "failed",
          detail: status,
          fix: failed.length === 0 ? "wait until its start is over" : null,
        };
  return [
    summary,
    ...failed.map((check): Finding => {
      return { name: check.name, status: "failed", detail: check.detail, fix: fixOf(check) };
    }),
  ];
}

function fixOf({ name, codes = [] }: Check): string {
  const byCode = codes.flatMap((code) => fixesByCode[code] ?? []);
  const byName = fixes.find(([pattern]) => pattern.test(name))?.[1] ?? "see the log of `winnow up`";
  const isWhole = codes.length > 0 && byCode.length === codes.length;
  return (isWhole ? byCode : [...byCode, byName]).join("; ");
}

/** That the token may read, and that every accepted event is somewhere. */
async function bookkeeping(api: Api): Promise<readonly Finding[]> {
  const { accepted, in_flight, outcomes } = (await api.get("v1/accounting")) as Accounting;
  const settled = Object.values(outcomes).reduce((sum, n) => sum + n, 0);
  const token: Finding = { name: "token", status: "ok", detail: "may read", fix: null };
  const isEven = accepted === settled + in_flight && in_flight >= 0;
  const detail = `${accepted} accepted = ${settled} settled + ${in_flight} in flight`;
  const fix = isEven ? null : "events are missing from the books: stop it and run `winnow replay --verify`";
  return [token, { name: "accounting", status: isEven ? "ok" : "failed", detail, fix }];
}

async function deliveries(api: Api): Promise<readonly Finding[]> {
  const stuck = await api.page<{ readonly destination: string; readonly delivery_state: string }>("v1/deliveries", {
    state: "parked,dead,unknown",
    limit: 500,
  });
  const n = stuck.items.length;
  if (n === 0) return [{ name: "deliveries", status: "ok", detail: "none stuck", fix: null }];
  const names = [...new Set(stuck.items.map(({ destination }) => destination))].join(", ");
  const detail = `${n}${stuck.next_cursor === null ? "" : " or more"} parked, dead or unknown at ${names}`;
  const fix = "look at `winnow get deliveries --state parked,dead,unknown`: the column ERROR says what to mend";
  return [{ name: "deliveries", status: "warning", detail, fix }];
}

async function deadLetters(api: Api): Promise<readonly Finding[]> {
  const waiting = await api.page("v1/dead-letters", { state: "waiting", limit: 500 });
  const n = waiting.items.length;
  if (n === 0) return [{ name: "dead letters", status: "ok", detail: "none waiting", fix: null }];
  const detail = `${n}${waiting.next_cursor === null ? "" : " or more"} waiting`;
  return [
    { name: "dead letters", status: "warning", detail, fix: "look at `winnow dlq ls`, then retry or discard them" },
  ];
}

function line({ name, status, detail, fix }: Finding, { paint }: Terminal): string {
  const style = status === "ok" ? "green" : status === "warning" ? "yellow" : "red";
  const head = `${paint(style, status.padEnd(7))}  ${plain(name).padEnd(14)} ${plain(detail)}\n`;
  return fix === null ? head : `${head}         ${paint("dim", "fix:")} ${fix}\n`;
}
