import t from "tap";
import { FakeApi } from "./fake-api.ts";
import { runCli } from "./run-cli.ts";
import { page } from "./samples.ts";

const api = await FakeApi.start();
t.teardown(async () => {
  await api.stop();
});
const env = { WINNOW_URL: api.url, WINNOW_TOKEN: "wnw_test" };
api.on("GET /healthz", { status: "ok" });
api.on("GET /v1/accounting", { accepted: 3, in_flight: 1, outcomes: { duplicate: 2 } });
api.on("GET /v1/deliveries", page([]));
api.on("GET /v1/dead-letters", page([]));

/** The stages' check fails with this. */
function failing(detail: string, codes?: readonly string[]): void {
  const checks = [
    { name: "log", ok: true, detail: "answers" },
    { name: "stages", ok: false, detail, ...(codes === undefined ? {} : { codes }) },
  ];
  api.on("GET /readyz", () => ({ status: 503, body: { status: "not_ready", checks } }));
}

await t.test(
  "after an unclean stop and an upgrade the doctor says which version has to run, and in which order",
  async (t) => {
    failing("B/1: engine_too_new: Winnow was upgraded after an unclean stop, and records wait", ["engine_too_new"]);
    const { code, stdout } = await runCli(["doctor"], { env });
    t.equal(code, 1);
    t.match(stdout, /failed {3}stages +B\/1: engine_too_new: Winnow was upgraded after an unclean stop/);
    t.match(stdout, /fix:.* start the version that ran before, and stop it in good order .* then start this version/);
  },
);

await t.test("on the older version it says that its part is done", async (t) => {
  failing("B/1: engine_too_old: the log goes on with engine version 2", ["engine_too_old"]);
  t.match((await runCli(["doctor"], { env })).stdout, /fix:.* this version has done its part; .* start the newer one/);
});

await t.test("each code has its fix, and one that is not known leads to the page of codes", async (t) => {
  failing("A/0: log_refused: Kafka refuses to write; A/1: input_gap: records are missing", [
    "log_refused",
    "input_gap",
  ]);
  const { stdout } = await runCli(["doctor"], { env });
  t.match(stdout, /fix: grant at the log's servers .*; do what the detail says \(its code is in docs\/errors.md\)/);
  failing("A/0: input_gap");
  t.match(
    (await runCli(["doctor"], { env })).stdout,
    /fix: do what the detail says/,
    "nor does an older node tell codes",
  );
});
