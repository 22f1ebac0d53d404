import { openApi, segment } from "../client/api.ts";
import { exitCodes } from "./exit-codes.ts";
import { argument, type Invocation, show } from "./invocation.ts";
import { type Column, table } from "./table.ts";
import { age } from "./words.ts";

export interface TokenCreateOptions {
  readonly scopes: readonly string[];
}

interface TokenRow {
  readonly id: string;
  readonly name: string;
  readonly scopes: readonly string[];
  readonly created_at: string;
  readonly revoked_at: string | null;
}

/** `winnow token create NAME`: the token alone on stdout, so that it can be kept by `> file`. */
export async function createToken(invocation: Invocation<TokenCreateOptions>): Promise<number> {
  const { options, terminal } = invocation;
  const api = await openApi(terminal, options);
  const json = { name: argument(invocation, 0), scopes: options.scopes };
  const { body } = await api.send("POST", "v1/tokens", { json });
  const made = body as { readonly id: string; readonly token: string };
  await show(invocation, made, () => `${made.token}\n`);
  terminal.say(`its id is ${made.id}; the token is shown this once`);
  return exitCodes.ok;
}

export async function listTokens(invocation: Invocation): Promise<number> {
  const { options, terminal } = invocation;
  const api = await openApi(terminal, options);
  const page = await api.page<TokenRow>("v1/tokens");
  const now = terminal.now();
  const columns: readonly Column<TokenRow>[] = [
    { head: "ID", cell: ({ id }) => id },
    { head: "NAME", cell: ({ name }) => name, flexible: true },
    { head: "SCOPES", cell: ({ scopes }) => scopes.join(",") },
    { head: "AGE", cell: ({ created_at }) => age(created_at, now), align: "right" },
    {
      head: "STATE",
      cell: ({ revoked_at }) => (revoked_at === null ? "live" : "revoked"),
      style: ({ revoked_at }) => (revoked_at === null ? "green" : "dim"),
    },
  ];
  await show(invocation, page, (wide) => table(columns, page.items, terminal, { wide }));
  return exitCodes.ok;
}

export async function revokeToken(invocation: Invocation): Promise<number> {
  const { options, terminal } = invocation;
  const api = await openApi(terminal, options);
  const id = argument(invocation, 0);
  const { body } = await api.send("DELETE", `v1/tokens/${segment(id)}`);
  await show(invocation, body, () => `${id} revoked\n`);
  return exitCodes.ok;
}
