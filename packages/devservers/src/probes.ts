/** Asks a server over a bare socket whether it takes work: no client library, nothing to be left open. */
import { connect } from "node:net";

/** Where to knock, with the credentials that an answer asks for. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

const PROBE_MS = 1_000;

/** Whether something accepts connections there. */
export async function accepts({ host, port }: Address): Promise<boolean> {
  return (await exchange({ host, port }, Buffer.alloc(0), () => true)) !== undefined;
}

/** Whether Redis takes commands: false while it loads its data. */
export async function redisAnswers(address: Address, password: string): Promise<boolean> {
  const replies = await redisCommands(address, password, [["PING"]]);
  return replies?.endsWith("+PONG\r\n") === true;
}

/** Sends commands after logging in; their replies as they came, or undefined without whole replies in time. */
export async function redisCommands(
  address: Address,
  password: string,
  commands: readonly (readonly string[])[],
): Promise<string | undefined> {
  const all = [["AUTH", password], ...commands];
  const text = all.map((words) => `*${words.length}\r\n${words.map(bulk).join("")}`).join("");
  // Status replies and errors only, a line each.
  const isWhole = (reply: Buffer): boolean => reply.toString("latin1").split("\r\n").length > all.length;
  return (await exchange(address, Buffer.from(text), isWhole))?.toString("utf8");
}

function bulk(word: string): string {
  return `$${Buffer.byteLength(word)}\r\n${word}\r\n`;
}

/** Whether a broker is in service: Metadata v6 without topics names at least one that is. */
export async function kafkaAnswers(address: Address): Promise<boolean> {
  // length, key 3, version 6, correlation id, client id null, no topics, create none
  const request = Buffer.from("0000000f 0003 0006 00000001 ffff 00000000 00".replaceAll(" ", ""), "hex");
  const reply = await exchange(address, request, (data) => data.length >= 4 && data.length >= 4 + data.readInt32BE(0));
  // length, correlation id, throttle time, count of brokers
  return reply !== undefined && reply.length >= 16 && reply.readInt32BE(12) > 0;
}

/** Whether Postgres takes logins as `user`: false while it starts or recovers. */
export async function postgresAnswers(address: Address, user: string): Promise<boolean> {
  const body = Buffer.from(`\u0000\u0003\u0000\u0000user\u0000${user}\u0000\u0000`, "latin1");
  const length = Buffer.alloc(4);
  length.writeInt32BE(body.length + 4);
  const reply = await exchange(address, Buffer.concat([length, body]), (data) => data.length > 0);
  // R asks for the password, E says why not.
  return reply?.toString("latin1", 0, 1) === "R";
}

/** What the other side says until it is whole; undefined where it is not there, hangs up or is silent for a second. */
function exchange(
  { host, port }: Address,
  request: Buffer,
  isWhole: (reply: Buffer) => boolean,
): Promise<Buffer | undefined> {
  const { promise, resolve } = Promise.withResolvers<Buffer | undefined>();
  let reply = Buffer.alloc(0);
  const socket = connect({ host, port });
  const settle = (result: Buffer | undefined): void => {
    socket.destroy();
    resolve(result);
  };
  socket.setTimeout(PROBE_MS, () => {
    settle(undefined);
  });
  socket.on("error", () => {
    settle(undefined);
  });
  socket.on("close", () => {
    settle(undefined);
  });
  socket.on("connect", () => {
    if (request.length === 0) {
      settle(reply);
    } else {
      socket.write(request);
    }
  });
  socket.on("data", (chunk: Buffer) => {
    reply = Buffer.concat([reply, chunk]);
    if (isWhole(reply)) {
      settle(reply);
    }
  });
  return promise;
}
