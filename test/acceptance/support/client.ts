/** A plain HTTP client: what came back, whole, and nothing decided about it. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The body as JSON; throws where it is none. */
  json<Value = Record<string, unknown>>(): Value;
}

export interface Ask {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array<ArrayBuffer> | object;
}

export interface Client {
  readonly url: string;
  /** Any request, with the token unless `authorization` is given; an empty one leaves it out. */
  ask(path: string, ask?: Ask): Promise<Answer>;
  /** The JSON of a GET that must answer 200. */
  get<Value>(path: string): Promise<Value>;
}

export function openClient(url: string, token: string): Client {
  const ask = async (path: string, { method, headers = {}, body }: Ask = {}): Promise<Answer> => {
    const { authorization = `Bearer ${token}`, ...others } = headers;
    const isPlain = body === undefined || typeof body === "string" || body instanceof Uint8Array;
    const response = await fetch(new URL(path, url), {
      method: method ?? (body === undefined ? "GET" : "POST"),
      redirect: "manual",
      headers: {
        ...(authorization === "" ? {} : { authorization }),
        ...(isPlain ? {} : { "content-type": "application/json" }),
        ...others,
      },
      ...(body === undefined ? {} : { body: isPlain ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    const { status, headers: received } = response;
    return { status, headers: received, text, json: <Value>() => JSON.parse(text) as Value };
  };
  const get = async <Value>(path: string): Promise<Value> => {
    const answer = await ask(path);
    if (answer.status !== 200) throw new Error(`GET ${path} answered ${answer.status}: ${answer.text}`);
    return answer.json<Value>();
  };
  return { url, ask, get };
}
