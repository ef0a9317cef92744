/** What a scenario is, and what it hands back. */
export type Figure = {
  readonly what: string
  readonly measured: string
  readonly value: number
  readonly goal: string // '' where there is none
  readonly met: boolean | null
  readonly load: string // load averages of the machine: 1, 5 and 15 minutes
}

export type BenchOptions = { readonly full: boolean }
export type Scenario = { readonly name: string; readonly doc: string; run(options: BenchOptions): Promise<Figure[]> }
