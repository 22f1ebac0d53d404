import { type ErrorCode, WinnowError } from "@winnow/platform";

/**
 * A port whose server does not answer yet. Until `opening` resolves every call rejects with `store_unavailable`, as it
 * would with a server that has gone away; if it rejects, with that error. `now` holds what is known without the server.
 */
export function latePort<Port extends object>(name: string, opening: Promise<Port>, now: Partial<Port> = {}): Port {
  let opened: Port | null = null;
  let code: ErrorCode = "store_unavailable";
  let message = `${name} has not answered yet`;
  opening.then(
    (port) => {
      opened = port;
    },
    (error: unknown) => {
      if (error instanceof WinnowError) ({ code, message } = error);
    },
  );
  const reject = async (): Promise<never> => Promise.reject(new WinnowError(code, message));
  return new Proxy(now as Port, {
    get: (known, property) => {
      if (opened !== null) {
        const value: unknown = Reflect.get(opened, property);
        return typeof value === "function" ? (value.bind(opened) as unknown) : value;
      }
      // A promise's resolution asks for `then`: this is not one.
      if (property === "then") return undefined;
      return Reflect.get(known, property) ?? reject;
    },
  });
}
