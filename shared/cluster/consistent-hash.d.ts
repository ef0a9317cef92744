/** The part of the package that ring.ts uses; it brings no types of its own. */
declare module 'consistent-hash' {
  export default class ConsistentHash<Node> {
    readonly nodeCount: number
    constructor(options?: { readonly range?: number })
    /** Without `points` they are drawn at random. */
    add(node: Node, count: number, points: readonly number[]): this
    /** The node of the first control point at or after the name's hash; null on an empty ring. */
    get(name: string): Node | null
  }
}
