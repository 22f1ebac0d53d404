import type { FakeOptions, FakeServer } from "./fake/server.ts";
import { startFakeSlack } from "./fake/slack.ts";
import { startFakeWebhook } from "./fake/webhook.ts";
import { startFakeServicenow } from "./servicenow/fake.ts";

const fakes = {
  servicenow: startFakeServicenow,
  slack: startFakeSlack,
  webhook: startFakeWebhook,
} as const satisfies Record<string, (options: FakeOptions) => Promise<FakeServer>>;

export type FakeName = keyof typeof fakes;

/** Names that `winnow fake NAME` takes. */
export const fakeNames = Object.keys(fakes) as readonly FakeName[];

/** True for a name that `startFake` takes. */
export function isFakeName(name: string): name is FakeName {
  return Object.hasOwn(fakes, name);
}

/** Starts a fake vendor; rejects when it cannot listen. */
export async function startFake(name: FakeName, options: FakeOptions): Promise<FakeServer> {
  return await fakes[name](options);
}
