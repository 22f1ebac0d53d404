/** What a member says of itself when it joins. */
export interface Claim {
  readonly memberId: string;
  /** The generation in which it was given what it owns; the later claim holds. */
  readonly generation: number;
  readonly owned: readonly number[];
}

/**
 * Shares partitions evenly, taking as few away as possible. A partition that must move is given to nobody: its owner
 * first lets go of it and joins again, and then it is free. So no partition ever has two owners, and those that stay
 * are worked on throughout.
 */
export function assignPartitions(partitions: number, claims: readonly Claim[]): ReadonlyMap<string, readonly number[]> {
  const owners = ownersOf(partitions, claims);
  const free = Array.from({ length: partitions }, (_, partition) => partition).filter((one) => !owners.has(one));
  const owned = new Map(claims.map(({ memberId }) => [memberId, [] as number[]]));
  for (const [partition, memberId] of owners) owned.get(memberId)?.push(partition);
  // Those who own most keep the odd ones.
  const members = [...owned].toSorted(
    ([leftId, left], [rightId, right]) => right.length - left.length || compareText(leftId, rightId),
  );
  const least = Math.floor(partitions / members.length);
  const odd = partitions % members.length;
  const shares = members.map(([memberId, mine], n) => {
    const quota = n < odd ? least + 1 : least;
    return { memberId, quota, kept: mine.toSorted((left, right) => left - right).slice(0, quota) };
  });
  return new Map(
    shares.map(({ memberId, quota, kept }) => [memberId, [...kept, ...free.splice(0, quota - kept.length)]]),
  );
}

/** Who owns what, by the latest claims. */
function ownersOf(partitions: number, claims: readonly Claim[]): ReadonlyMap<number, string> {
  const owners = new Map<number, string>();
  const oldestFirst = claims.toSorted(
    (left, right) => left.generation - right.generation || compareText(right.memberId, left.memberId),
  );
  for (const { memberId, owned } of oldestFirst)
    for (const partition of owned) if (partition >= 0 && partition < partitions) owners.set(partition, memberId);
  return owners;
}

function compareText(left: string, right: string): number {
  if (left === right) return 0;
  return left < right ? -1 : 1;
}
