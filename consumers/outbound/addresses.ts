import { Resolver } from 'node:dns/promises';
import ipaddr from 'ipaddr.js';

/** An address as it may be connected to. */
export interface CheckedAddress {
  readonly address: string;
  readonly family: 4 | 6;
}

/** All addresses of a name. Rejects where it has none. */
export type Resolve = (hostname: string) => Promise<readonly string[]>;

/**
 * By the machine's name servers, or by these. Not by the system's resolver, which has four threads for the whole process: names whose servers do not answer would hold up everybody.
 */
export function resolveByDns(servers: readonly string[] | null = null): Resolve {
  const resolver = new Resolver({ timeout: 2_000, tries: 2 });
  if (servers !== null) resolver.setServers(servers);
  return async (hostname) => {
    const answers = await Promise.allSettled([resolver.resolve4(hostname), resolver.resolve6(hostname)]);
    const found = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
    const failed = answers.find((answer) => answer.status === 'rejected');
    if (found.length === 0 && failed !== undefined) throw failed.reason;
    return found;
  };
}

export class ForbiddenAddressError extends Error {
  override readonly name = 'ForbiddenAddressError';
}

const GLOBAL_UNICAST = ipaddr.IPv6.parseCIDR('2000::/3');

/**
 * Whether an address is one of the public internet: not private, shared, loopback, link-local (which has clouds' metadata), multicast, reserved, for documentation or for
 * benchmarks; and none that carries an IPv4 address within (mapped, compatible, NAT64, 6to4, Teredo), for who knows where that ends.
 */
export function isPublic(address: string): boolean {
  if (!ipaddr.isValid(address)) return false;
  const parsed = ipaddr.parse(address);
  if (parsed.range() !== 'unicast') return false;
  return parsed.kind() === 'ipv4' || parsed.match(GLOBAL_UNICAST);
}

const isLoopback = (address: string): boolean => ipaddr.isValid(address) && ipaddr.parse(address).range() === 'loopback';

/**
 * The addresses of a host, which is a name or an address itself: all of them have to be public, for whoever names a private one among others means it. `loopback`: that is
 * fine too, for development.
 * @throws ForbiddenAddressError; and whatever resolving throws.
 */
export async function checkedAddresses(hostname: string, resolve: Resolve, { loopback }: { loopback: boolean }): Promise<readonly CheckedAddress[]> {
  const literal = hostname.replaceAll(/^\[|\]$/g, '');
  const addresses = ipaddr.isValid(literal) ? [literal] : await resolve(hostname);
  const isAllowed = (address: string): boolean => isPublic(address) || (loopback && isLoopback(address));
  if (addresses.length === 0 || !addresses.every(isAllowed)) throw new ForbiddenAddressError('the host has an address that is not public');
  return addresses.map((address) => ({ address, family: ipaddr.IPv6.isValid(address) ? 6 : 4 }));
}
