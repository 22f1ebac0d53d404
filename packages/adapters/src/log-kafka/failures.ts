import { createRequire } from "node:module";
import { type ErrorFields, hasCode, WinnowError } from "@winnow/platform";

/** Error codes of the protocol that something here depends on: https://kafka.apache.org/protocol#protocol_error_codes */
export const code = {
  unknown: -1,
  none: 0,
  offsetOutOfRange: 1,
  corruptMessage: 2,
  unknownTopicOrPartition: 3,
  leaderNotAvailable: 5,
  notLeader: 6,
  requestTimedOut: 7,
  replicaNotAvailable: 9,
  messageTooLarge: 10,
  coordinatorLoading: 14,
  coordinatorNotAvailable: 15,
  notCoordinator: 16,
  recordListTooLarge: 18,
  notEnoughReplicas: 19,
  notEnoughReplicasAfterAppend: 20,
  illegalGeneration: 22,
  unknownMember: 25,
  rebalanceInProgress: 27,
  topicAuthorizationFailed: 29,
  groupAuthorizationFailed: 30,
  clusterAuthorizationFailed: 31,
  outOfOrderSequence: 45,
  invalidProducerEpoch: 47,
  kafkaStorage: 56,
  unknownProducer: 59,
  fencedLeaderEpoch: 74,
  unknownLeaderEpoch: 75,
  offsetNotAvailable: 78,
  unknownTopicId: 100,
  inconsistentTopicId: 103,
} as const;

/** The leader has moved, or the broker or we do not know of it yet: ask where it is, then try again. */
const staleCodes: ReadonlySet<number> = new Set([
  code.unknownTopicOrPartition,
  code.leaderNotAvailable,
  code.notLeader,
  code.replicaNotAvailable,
  code.kafkaStorage,
  code.fencedLeaderEpoch,
  code.unknownLeaderEpoch,
  code.unknownTopicId,
  code.inconsistentTopicId,
]);

/** Passes by itself. */
const passingCodes: ReadonlySet<number> = new Set([
  ...staleCodes,
  code.corruptMessage,
  code.requestTimedOut,
  code.coordinatorLoading,
  code.coordinatorNotAvailable,
  code.notCoordinator,
  code.notEnoughReplicas,
  code.notEnoughReplicasAfterAppend,
  code.offsetNotAvailable,
]);

/** No definite answer: there was no connection, or it was lost, or nothing came in time. */
export class LinkFailure extends Error {
  readonly why: "connect" | "lost" | "late";

  constructor(why: LinkFailure["why"], message: string, cause?: unknown) {
    super(message, cause === undefined ? {} : { cause });
    this.name = "LinkFailure";
    this.why = why;
  }

  /** The broker may have done what was asked. */
  get maybeDone(): boolean {
    return this.why !== "connect";
  }
}

/** The broker's definite answer was an error. */
export class KafkaRefusal extends Error {
  readonly code: number;

  constructor(errorCode: number, message?: string | null) {
    super(`${nameOf(errorCode)}${message === undefined || message === null ? "" : `: ${message}`}`);
    this.name = "KafkaRefusal";
    this.code = errorCode;
  }

  /** The cluster looks different from what we know. */
  get isStale(): boolean {
    return staleCodes.has(this.code);
  }

  get passes(): boolean {
    return passingCodes.has(this.code);
  }
}

/** True for failures that may be over at the next try. */
export function isPassing(error: unknown): boolean {
  return error instanceof LinkFailure || (error instanceof KafkaRefusal && error.passes);
}

export function isRefusal(error: unknown, ...codes: readonly number[]): error is KafkaRefusal {
  return error instanceof KafkaRefusal && codes.includes(error.code);
}

/** Answers that say something of this one request. */
const ownCodes: ReadonlySet<number> = new Set([
  code.unknown,
  code.offsetOutOfRange,
  code.messageTooLarge,
  code.recordListTooLarge,
]);

/** What to change where the broker refuses. */
const fixes: Readonly<Record<number, string>> = {
  [code.topicAuthorizationFailed]:
    "allow Winnow's user to Describe, Read and Write the topic, and to Delete its records",
  [code.clusterAuthorizationFailed]: "allow Winnow's user IdempotentWrite on the cluster, or Write on the topic",
  [code.groupAuthorizationFailed]: "allow Winnow's user to Read the group",
};

/**
 * A definite refusal that lasts until somebody changes rights or logins, as an error that says what to change; null for
 * any other failure. What was asked for was not done.
 */
export function lastingRefusal(error: unknown, where: string, fields: ErrorFields): WinnowError | null {
  const isRefused = error instanceof KafkaRefusal && !error.passes && !ownCodes.has(error.code);
  if (!isRefused && !hasCode(error, "store_unsuitable")) return null;
  const fix = error instanceof KafkaRefusal ? fixes[error.code] : undefined;
  const message = `Kafka refuses ${where}: ${error.message}${fix === undefined ? "" : `; ${fix}`}`;
  return new WinnowError("log_refused", message, { cause: error, fields });
}

/** Throws the broker's error, if there is one. */
export function accept<T extends { readonly errorCode: number; readonly message?: string | null }>(answer: T): T {
  if (answer.errorCode !== code.none) throw new KafkaRefusal(answer.errorCode, answer.message);
  return answer;
}

/** Names for people: kafkajs knows those up to its time, the newer ones are here. */
const newerNames: Readonly<Record<number, string>> = {
  [code.unknownTopicId]: "UNKNOWN_TOPIC_ID",
  [code.inconsistentTopicId]: "INCONSISTENT_TOPIC_ID",
};

function nameOf(errorCode: number): string {
  const { errorCodes } = createRequire(import.meta.url)("kafkajs/src/protocol/error") as {
    errorCodes: readonly { readonly type: string; readonly code: number }[];
  };
  const known = errorCodes.find((one) => one.code === errorCode)?.type ?? newerNames[errorCode];
  return known ?? `Kafka's error ${errorCode}`;
}

/** A short text of any error, for messages and log lines. */
export function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
