/**
 * Settings of one broker for tests, whatever it runs in; addresses and folders come on top.
 *
 * One replica of everything, few internal partitions, no waiting for further consumers. The last two bring the time
 * from a kill -9 to the first accepted message from 13 s to 7 s: a new process waits for the old one's session to end.
 */
export const kafkaSettings = {
  "process.roles": "broker,controller",
  "node.id": "1",
  "controller.listener.names": "CONTROLLER",
  "auto.create.topics.enable": "false",
  "offsets.topic.replication.factor": "1",
  "offsets.topic.num.partitions": "4",
  "transaction.state.log.replication.factor": "1",
  "transaction.state.log.min.isr": "1",
  "transaction.state.log.num.partitions": "4",
  "share.coordinator.state.topic.replication.factor": "1",
  "share.coordinator.state.topic.min.isr": "1",
  "group.initial.rebalance.delay.ms": "0",
  "num.network.threads": "2",
  "num.io.threads": "4",
  "log.cleaner.dedupe.buffer.size": "16777216",
  "broker.session.timeout.ms": "3000",
  "broker.heartbeat.interval.ms": "500",
} as const;
