/** The plans of one request on one view: of all its partitions at first, then again of those that have news. */
import type { PlanRequest, PlanResponse } from '#shared/rpc/read.ts'
import type { ShardView } from '../shard/shard-view.ts'
import { planPartition, type PartitionPlan, type PlanLimits } from './plan-partition.ts'

export class RequestPlans {
  readonly #view: ShardView
  readonly #request: PlanRequest
  readonly #limits: PlanLimits
  readonly #plans: PartitionPlan[] = []
  #runs = 0
  #bytes = 0
  #refusals = 0
  #cuts = 0

  /** `runsMax` of the limits is for all partitions together; each gets one run at least. */
  constructor(view: ShardView, request: PlanRequest, limits: PlanLimits) {
    this.#view = view
    this.#request = request
    this.#limits = limits
    this.lookAtAll()
  }

  get isDoubtful(): boolean {
    return this.#plans.some(({ doubtful }) => doubtful)
  }

  /** There is enough, or waiting longer would bring no more. */
  get isEnough(): boolean {
    return this.#refusals > 0 || this.#cuts > 0 || this.#bytes >= this.#request.minBytes
  }

  get response(): PlanResponse {
    return { partitions: this.#plans.map(({ planned }) => planned) }
  }

  /** Of the partitions that are known here. */
  get localIds(): ReadonlySet<number> {
    return new Set(this.#plans.map(({ localId }) => localId).filter((localId) => localId !== -1))
  }

  lookAtAll(): void {
    for (let i = 0; i < this.#request.partitions.length; i++) this.#look(i)
  }

  lookAt(localIds: readonly number[]): void {
    const wanted = new Set(localIds)
    for (const [i, { localId }] of this.#plans.entries()) if (wanted.has(localId)) this.#look(i)
  }

  #look(i: number): void {
    const { state, index } = this.#view
    const { partitions } = this.#request
    const known = this.#plans[i]
    if (known !== undefined) this.#count(known, -1)
    const reserved = partitions.length - 1 - i // one for each that comes behind
    const runsMax = Math.max(1, this.#limits.runsMax - this.#runs - reserved)
    const plan = planPartition(state, index, partitions[i]!, { ...this.#limits, runsMax })
    this.#plans[i] = plan
    this.#count(plan, 1)
  }

  #count({ planned: { runs, errorCode, isCut }, bytes }: PartitionPlan, sign: 1 | -1): void {
    this.#runs += sign * runs.length
    this.#bytes += sign * bytes
    if (errorCode !== 0) this.#refusals += sign
    if (isCut) this.#cuts += sign
  }
}
