import { setTimeout as delay } from "node:timers/promises";
import type { Tool } from "./tool-process.ts";

const POLL_MS = 50;

/** Asks again and again until the answer is yes; rejects when time is up. */
export async function untilTrue(what: string, ask: () => Promise<boolean>, timeoutMs: number): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await ask())) {
    if (performance.now() > deadline) {
      throw new Error(`${what}: not within ${timeoutMs} ms`);
    }
    await delay(POLL_MS);
  }
}

/** The same for a program that has just been started; rejects, with what it printed, as soon as it ends. */
export async function untilAnswers(tool: Tool, ask: () => Promise<boolean>, timeoutMs: number): Promise<void> {
  let end: string | undefined;
  void tool.ended.then((how) => {
    end = `ended with ${how}`;
  });
  const isDone = async (): Promise<boolean> => end !== undefined || (await ask());
  try {
    await untilTrue("it answers", isDone, timeoutMs);
  } catch (error) {
    await tool.kill();
    throw new Error(`it did not answer within ${timeoutMs} ms:\n${tool.output()}`, { cause: error });
  }
  if (end !== undefined) {
    throw new Error(`it ${end}:\n${tool.output()}`);
  }
}
