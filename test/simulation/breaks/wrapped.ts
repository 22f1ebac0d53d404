/** `target` with some methods replaced; the others stay bound to it. */
export function wrapped<Target extends object>(target: Target, methods: Partial<Target>): Target {
  return new Proxy(target, {
    get: (inner, name) => {
      const own: unknown = Reflect.get(methods, name);
      if (own !== undefined) return own;
      const value: unknown = Reflect.get(inner, name, inner);
      return typeof value === "function" ? (value.bind(inner) as unknown) : value;
    },
  });
}
