import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { ALERTMANAGER_PACKAGE, startAlertmanager } from "../../test/real-tools/alertmanager.ts";
import { bringPackages } from "../../test/real-tools/debian-packages.ts";
import { pin } from "../processes.ts";
import type { Target } from "./target.ts";

/** Debian's Alertmanager on one core, or why it cannot be had here. */
export async function alertmanagerTarget(
  log: (line: string) => void,
): Promise<Target | { readonly unavailable: string }> {
  const brought = await bringPackages({ names: [ALERTMANAGER_PACKAGE], log });
  if ("unavailable" in brought) return brought;
  return {
    name: "Alertmanager",
    version: brought.versions[ALERTMANAGER_PACKAGE] ?? "unknown",
    start: async (dataDir) => {
      const sink = createServer((request, reply) => {
        request.resume();
        reply.end();
      });
      sink.listen(0, "127.0.0.1");
      await once(sink, "listening");
      const { port: sinkPort } = sink.address() as AddressInfo;
      const alertmanager = await startAlertmanager({
        rootDir: brought.rootDir,
        workDir: join(dataDir, "alertmanager"),
        webhookUrl: `http://127.0.0.1:${sinkPort}/`,
        groupBy: ["service"],
        groupWait: "1s",
        groupInterval: "5m",
        env: { GOMAXPROCS: "1" },
      });
      const { pid } = alertmanager.tool;
      pin(pid, "target");
      const url = new URL(alertmanager.url);
      const stop = async (): Promise<void> => {
        await alertmanager.stop();
        sink.close();
      };
      return {
        pid,
        endpoint: { host: url.hostname, port: Number(url.port), path: "/api/v2/alerts", headers: {} },
        drained: async () => null,
        kill: stop,
        stop,
      };
    },
  };
}
