/**
 * Availability zones as network namespaces of this machine, joined by a bridge that counts, in the kernel, the bytes of
 * each pair of addresses. Needs root, and ip and nft (Debian: iproute2, nftables). Names are of this process, so that
 * several can stand beside each other; what a killed process left is taken away by the next.
 */
import { execFileSync, type ExecFileSyncOptions } from 'node:child_process'
import { ZonewiseError } from '#shared/errors/zonewise-error.ts'

/** Benchmarking range (RFC 2544): no real network has it. */
const SUBNET = '198.18'
const PREFIX = 'zwz'

export type ZoneHost = { readonly name: string; readonly namespace: string; readonly address: string }

/** Bytes of IP packets from one host to another, headers included. */
export type PairBytes = { readonly from: string; readonly to: string; readonly bytes: number; readonly packets: number }

export class ZoneNet {
  readonly hosts: readonly ZoneHost[]
  readonly #bridge: string
  readonly #table: string
  readonly #cut = new Set<string>()
  readonly #links: string[] = [] // the machine's ends of the hosts' cables

  private constructor(hosts: readonly ZoneHost[], bridge: string, table: string) {
    this.hosts = hosts
    this.#bridge = bridge
    this.#table = table
  }

  /** Why zones cannot be made here, in a sentence, or null. */
  static obstacle(): string | null {
    if (process.platform !== 'linux') return 'network namespaces are of Linux'
    if (process.getuid?.() !== 0) return 'network namespaces need root'
    for (const tool of ['ip', 'nft'])
      if (!runs(tool, ['--version']) && !runs(tool, ['-V'])) {
        return `there is no ${tool}: apt-get install iproute2 nftables`
      }
    const probe = `${PREFIX}probe${process.pid}`
    if (!runs('ip', ['netns', 'add', probe])) return 'this machine does not allow network namespaces'
    run('ip', ['netns', 'del', probe])
    return null
  }

  /** @throws ZonewiseError TOOL_MISSING: with the obstacle */
  static require(): void {
    const why = ZoneNet.obstacle()
    if (why !== null) throw new ZonewiseError('TOOL_MISSING', 'zones cannot be made on this machine', { why })
  }

  /**
   * Makes a namespace for each name. `guests` have an address of their own in the namespace of another, so that what
   * passes to and from them is counted apart: by their own name, the name of their host.
   * @throws ZonewiseError TOOL_MISSING: with the obstacle
   */
  static create(names: readonly string[], guests: Readonly<Record<string, string>> = {}): ZoneNet {
    ZoneNet.require()
    removeLeftOvers()
    const id = process.pid
    const octet = 1 + (id % 250)
    const bridge = `${PREFIX}b${id}`
    const table = `${PREFIX}${id}`
    const host = (name: string, where: string, i: number): ZoneHost =>
      ({ name, namespace: `${PREFIX}-${id}-${where}`, address: `${SUBNET}.${octet}.${i + 1}` })
    const hosts = names.map((name, i) => host(name, name, i))
    const invited = Object.entries(guests).map(([name, where], i) => host(name, where, names.length + i))
    const net = new ZoneNet([...hosts, ...invited], bridge, table)
    try {
      run('ip', ['link', 'add', bridge, 'type', 'bridge'])
      run('ip', ['link', 'set', bridge, 'up'])
      // The machine itself is on the bridge, too: whoever watches from outside is no zone, and is not counted.
      run('ip', ['addr', 'add', `${SUBNET}.${octet}.254/24`, 'dev', bridge])
      for (const [i, { namespace, address }] of hosts.entries()) {
        const link = `${PREFIX}v${id}x${i}`
        net.#links.push(link)
        addHost(namespace, address, link, bridge)
      }
      for (const { namespace, address } of invited)
        run('ip', ['-n', namespace, 'addr', 'add', `${address}/24`, 'dev', 'eth0'])
      run('nft', ['-f', '-'], { input: tableText(table) })
    } catch (error) {
      net.remove()
      throw error
    }
    return net
  }

  host(name: string): ZoneHost {
    const found = this.hosts.find((host) => host.name === name)
    if (found === undefined) throw new Error(`there is no zone ${name}`)
    return found
  }

  /** The command that runs `command` on a host. */
  on(name: string, command: readonly string[]): { readonly file: string; readonly args: readonly string[] } {
    return { file: 'ip', args: ['netns', 'exec', this.host(name).namespace, ...command] }
  }

  /** What the kernel has forwarded so far, by pairs that had traffic. */
  pairs(): PairBytes[] {
    const text = run('nft', ['-j', 'list', 'set', 'bridge', this.#table, 'pairs'])
    const names = new Map(this.hosts.map(({ address, name }) => [address, name]))
    const found: PairBytes[] = []
    for (const { elem } of elementsOf(JSON.parse(text))) {
      const [from, to] = elem.val.concat.map((address) => names.get(address))
      if (from !== undefined && to !== undefined) {
        found.push({ from, to, bytes: elem.counter.bytes, packets: elem.counter.packets })
      }
    }
    return found.sort((a, b) => (`${a.from} ${a.to}` < `${b.from} ${b.to}` ? -1 : 1))
  }

  /** Drops all packets from one host to another, until `heal`. */
  cut(from: string, to: string): void {
    this.#cut.add(`${from} ${to}`)
    this.#applyCuts()
  }

  /** Lets all packets pass again. */
  heal(): void {
    this.#cut.clear()
    this.#applyCuts()
  }

  remove(): void {
    runs('nft', ['delete', 'table', 'bridge', this.#table])
    // By name: with their namespace they would go some time later, or with its last process.
    for (const link of this.#links) runs('ip', ['link', 'del', link])
    for (const namespace of new Set(this.hosts.map((host) => host.namespace))) runs('ip', ['netns', 'del', namespace])
    runs('ip', ['link', 'del', this.#bridge])
  }

  #applyCuts(): void {
    const rules = [...this.#cut].map((pair) => {
      const [from, to] = pair.split(' ').map((name) => this.host(name).address)
      return `add rule bridge ${this.#table} cuts ip saddr ${from} ip daddr ${to} drop`
    })
    run('nft', ['-f', '-'], { input: [`flush chain bridge ${this.#table} cuts`, ...rules, ''].join('\n') })
  }
}

type SetElement = {
  readonly elem: {
    readonly val: { readonly concat: readonly string[] }
    readonly counter: { readonly bytes: number; readonly packets: number }
  }
}

function elementsOf(listing: unknown): readonly SetElement[] {
  const { nftables } = listing as { nftables: readonly { set?: { elem?: readonly SetElement[] } }[] }
  return nftables.flatMap(({ set }) => set?.elem ?? [])
}

/** Cuts come first: what is dropped was not forwarded. */
function tableText(table: string): string {
  return `table bridge ${table} {
  set pairs { typeof ip saddr . ip daddr; size 1024; flags dynamic; counter; }
  chain cuts { }
  chain forward { type filter hook forward priority 0; policy accept;
    jump cuts
    ether type ip update @pairs { ip saddr . ip daddr }
  }
}
`
}

function addHost(namespace: string, address: string, link: string, bridge: string): void {
  run('ip', ['netns', 'add', namespace])
  run('ip', ['link', 'add', link, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', namespace])
  run('ip', ['link', 'set', link, 'master', bridge, 'up'])
  run('ip', ['-n', namespace, 'addr', 'add', `${address}/24`, 'dev', 'eth0'])
  run('ip', ['-n', namespace, 'link', 'set', 'eth0', 'up'])
  run('ip', ['-n', namespace, 'link', 'set', 'lo', 'up'])
}

/** Takes away what processes made that do not live any more. */
function removeLeftOvers(): void {
  const dead = (pid: string): boolean => {
    try {
      process.kill(Number(pid), 0)
      return false
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === 'ESRCH'
    }
  }
  for (const [, namespace, pid] of run('ip', ['netns', 'list']).matchAll(new RegExp(`^(${PREFIX}-(\\d+)-\\S+)`, 'gm')))
    if (dead(pid!)) runs('ip', ['netns', 'del', namespace!])
  for (const [, bridge, pid] of run('ip', ['-o', 'link', 'show', 'type', 'bridge']).matchAll(
    new RegExp(`\\b(${PREFIX}b(\\d+))`, 'g')
  ))
    if (dead(pid!)) runs('ip', ['link', 'del', bridge!])
  for (const [, table, pid] of run('nft', ['list', 'tables']).matchAll(new RegExp(`\\b(${PREFIX}(\\d+))\\b`, 'g')))
    if (dead(pid!)) runs('nft', ['delete', 'table', 'bridge', table!])
}

function run(file: string, args: readonly string[], options: ExecFileSyncOptions = {}): string {
  try {
    return execFileSync(file, [...args], { stdio: ['pipe', 'pipe', 'pipe'], ...options }).toString()
  } catch (cause) {
    const said = String((cause as { stderr?: Buffer }).stderr ?? cause).trim()
    throw new ZonewiseError(
      'TOOL_MISSING', 'a command for network namespaces failed', { command: [file, ...args].join(' '), said }, cause
    )
  }
}

function runs(file: string, args: readonly string[]): boolean {
  try {
    execFileSync(file, [...args], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
