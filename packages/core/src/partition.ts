const offsetBasis = 0x811c9dc5;
const prime = 0x01000193;

/**
 * The partition that `key` belongs to: 0 … partitions - 1, the same in every process and version.
 * FNV-1a over UTF-16 code units in 32 bits, folded once so that small partition counts use the high bits too.
 */
export function partitionOf(key: string, partitions: number): number {
  let hash = offsetBasis;
  for (let at = 0; at < key.length; at += 1) {
    hash = Math.imul(hash ^ key.charCodeAt(at), prime);
  }
  return ((hash ^ (hash >>> 16)) >>> 0) % partitions;
}

/** What partitions the topic `alerts`: all messages of one alert meet in one partition, in order. */
export function alertPartitionKey(tenant: string, fingerprint: string): string {
  return `${tenant}\u0000${fingerprint}`;
}
