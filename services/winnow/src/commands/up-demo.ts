import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as after } from "node:timers/promises";
import { startFake } from "@winnow/sinks";
import { exchange, NoReply } from "../client/http.ts";
import { storm } from "./demo-storm.ts";
import type { Terminal } from "./terminal.ts";

/** A fake ServiceNow to deliver to, and alerts that come by themselves. */
export interface Demo {
  /** The demo's own configuration. */
  readonly file: string;
  readonly env: Readonly<Record<string, string>>;
  /** One line for the banner. */
  readonly describe: string;
  /** Alerts begin to come. */
  begin(running: { readonly url: string; readonly token: string }): void;
  /** No more alerts come. */
  end(): Promise<void>;
  /** The fake goes too. */
  close(): Promise<void>;
}

const passwordVariable = "WINNOW_DEMO_PASSWORD";
const requestTimeoutMs = 5_000;

export async function prepareDemo(terminal: Terminal): Promise<Demo> {
  const vendor = await startFake("servicenow", { listen: { host: "127.0.0.1", port: 0 } });
  const folder = mkdtempSync(join(tmpdir(), "winnow-demo-"));
  const file = join(folder, "winnow.yaml");
  writeFileSync(file, demoConfiguration(vendor.url));
  const stop = new AbortController();
  let playing: Promise<void> = Promise.resolve();
  return {
    file,
    env: { [passwordVariable]: "demo" },
    describe: `a fake ServiceNow takes the tickets: curl ${vendor.url}/__ledger`,
    begin: (running) => {
      playing = play(running, terminal, stop.signal);
    },
    end: async () => {
      stop.abort();
      await playing;
    },
    close: async () => {
      await vendor.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** One incident per service and environment; tickets go to the fake at once. */
function demoConfiguration(vendorUrl: string): string {
  return `version: 1
rules:
  - id: per-service
    match: { service: { exists: true } }
    group_by: [service, environment]
    on_missing: shared
    hold: 2s
    incident: { title: "{{service}}: {{title}}" }
routes:
  - to: [snow]
destinations:
  snow:
    type: servicenow
    mode: live
    url: ${vendorUrl}
    allow_networks: [127.0.0.0/8]
    auth: { basic: { username: winnow, password: { env: ${passwordVariable} } } }
`;
}

/** Plays the storm over and over until the signal. A delivery that fails is said once and left behind. */
async function play(
  { url, token }: { readonly url: string; readonly token: string },
  terminal: Terminal,
  signal: AbortSignal,
): Promise<void> {
  let complained = false;
  try {
    for (;;) {
      for (const { waitMs, path, request } of storm(() => terminal.now())) {
        await after(waitMs, undefined, { signal });
        const headers = { authorization: `Bearer ${token}`, "content-type": request.contentType };
        const place = new URL(path, `${url}/`);
        try {
          await exchange({ method: "POST", url: place, headers, body: request.body, timeoutMs: requestTimeoutMs });
        } catch (error) {
          if (!(error instanceof NoReply)) throw error;
          if (!complained) terminal.say(`the demo cannot send: ${error.message}`);
          complained = true;
        }
      }
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
