/**
 * Bit sets of permitted operations (bit = Kafka's operation code), for whoever asks: everything, there is
 * no authorizer yet.
 */
import { AUTHORIZED_OPERATIONS_UNKNOWN } from '#shared/wire/authorized-operations.ts'

const OPERATION = {
  read: 3, write: 4, create: 5, delete: 6, alter: 7, describe: 8, clusterAction: 9, describeConfigs: 10,
  alterConfigs: 11,
  idempotentWrite: 12
} as const

function bits(...operations: readonly (keyof typeof OPERATION)[]): number {
  return operations.reduce((set, operation) => set | (1 << OPERATION[operation]), 0)
}

export const TOPIC_OPERATIONS =
  bits('read', 'write', 'create', 'delete', 'alter', 'describe', 'describeConfigs', 'alterConfigs')
export const CLUSTER_OPERATIONS =
  bits('create', 'alter', 'describe', 'clusterAction', 'describeConfigs', 'alterConfigs', 'idempotentWrite')
export const GROUP_OPERATIONS = bits('read', 'delete', 'describe', 'describeConfigs', 'alterConfigs')

/** `operations` if asked for, else Kafka's "not asked" (PROTOCOL 19). */
export function ifAsked(asked: boolean, operations: number): number {
  return asked ? operations : AUTHORIZED_OPERATIONS_UNKNOWN
}
