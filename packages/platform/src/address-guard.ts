import { lookup as resolve } from "node:dns";
import { isIP, type LookupFunction } from "node:net";
import ipaddr from "ipaddr.js";
import { WinnowError } from "./errors.ts";

/** Decides whether outgoing connections may go to an address. */
export interface AddressGuard {
  /** True for a public unicast address, and for any address inside an allowed network. */
  allows(address: string): boolean;
  /** Throws `address_refused` when `host` is a literal address that is not allowed; names pass (see `lookup`). */
  checkHost(host: string): void;
  /** A resolver for sockets that hands out allowed addresses only and fails with `address_refused` if none is left. */
  readonly lookup: LookupFunction;
}

type Network = readonly [ipaddr.IPv4 | ipaddr.IPv6, number];

/**
 * Builds the guard. `allowNetworks` holds CIDRs or single addresses (`10.0.0.0/8`, `::1`).
 * Throws `config_invalid` for one that cannot be read.
 */
export function createAddressGuard(allowNetworks: readonly string[]): AddressGuard {
  const networks = allowNetworks.map(parseNetwork);
  const allows = (address: string): boolean => isAllowed(address, networks);
  return {
    allows,
    checkHost(host) {
      const literal = bareHost(host);
      if (isIP(literal) !== 0 && !allows(literal)) {
        throw addressRefused(literal);
      }
    },
    lookup(hostname, options, callback) {
      resolve(hostname, { ...options, all: true }, (error, answers) => {
        if (error !== null) {
          callback(error, "", 0);
          return;
        }
        const allowed = answers.filter((answer) => allows(answer.address));
        const first = allowed[0];
        if (first === undefined) {
          callback(addressRefused(answers.map((answer) => answer.address).join(", ")), "", 0);
        } else if (options.all === true) {
          callback(null, allowed);
        } else {
          callback(null, first.address, first.family);
        }
      });
    },
  };
}

/** The error for an address that is not allowed. */
export function addressRefused(address: string): WinnowError {
  return new WinnowError(
    "address_refused",
    `${address} is not a public address; if it is meant, put its network into allow_networks`,
    { fields: { address } },
  );
}

/** A URL's host without the brackets of IPv6 and without a zone. */
function bareHost(host: string): string {
  return host.replace(/^\[|\]$/g, "").replace(/%.*$/, "");
}

function parseNetwork(text: string): Network {
  try {
    const [address, bits] = text.includes("/")
      ? ipaddr.parseCIDR(text)
      : [ipaddr.parse(text), text.includes(":") ? 128 : 32];
    return [address, bits];
  } catch {
    throw new WinnowError("config_invalid", `allow_networks: ${text} is not a network such as 10.0.0.0/8`);
  }
}

function isAllowed(text: string, networks: readonly Network[]): boolean {
  const host = bareHost(text);
  if (isIP(host) === 0) {
    return false;
  }
  // `process` turns IPv4-mapped and IPv4-compatible IPv6 addresses into the IPv4 address that they reach.
  const address = ipaddr.process(host);
  return address.range() === "unicast" || networks.some((network) => contains(network, address));
}

function contains([base, bits]: Network, address: ipaddr.IPv4 | ipaddr.IPv6): boolean {
  return base.kind() === address.kind() && address.match(base, bits);
}
