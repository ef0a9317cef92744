/** "Not asked for": Kafka's default of the sets of permitted operations. Zero would mean that nothing is permitted. */
export const AUTHORIZED_OPERATIONS_UNKNOWN = -(2 ** 31)
