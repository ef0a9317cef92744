import { after } from 'node:test'
import { nodeFiles } from '#cli/platform/node-files.ts'
import { nodeRuntime } from '#cli/platform/node-runtime.ts'
import { Ledger } from '#shared/ledger/ledger.ts'
import { Rng } from '#shared/runtime/rng.ts'
import { FaultyStore, NO_STORE_FAULTS } from '#shared/store/faulty-store.ts'
import { openFileStore } from '#shared/store/file-store.ts'
import { GuardedStore } from '#shared/store/guarded-store.ts'
import { MeasuredStore } from '#shared/store/measured-store.ts'
import { MemoryStore } from '#shared/store/memory-store.ts'
import { temporaryFolder } from '#test/support/temporary-folder.ts'
import { storeSuite } from './store-suite.ts'

const awake = setInterval(() => {}, 1_000) // timers of the runtime do not keep the process alive
after(() => { clearInterval(awake) })

storeSuite({
  name: 'memory',
  open: async () => new MemoryStore(nodeRuntime.clock),
  reopen: async (store) => store
})

storeSuite({
  name: 'faulty memory, delays',
  open: async () => new FaultyStore(
    new MemoryStore(nodeRuntime.clock), nodeRuntime.timer, new Rng(7),
    { ...NO_STORE_FAULTS, delayMsMax: 2 }
  ),
  reopen: async (store) => store
})

const roots = new WeakMap<object, string>()
const openFile = async (root: string) => {
  const file = await openFileStore({ files: nodeFiles, root, handlesMax: 3 })
  const guarded = new GuardedStore(file, nodeRuntime.clock, 1)
  const store = new MeasuredStore(guarded, { ledger: new Ledger(), zone: 'local-az1', clock: nodeRuntime.clock })
  roots.set(store, root)
  return store
}

storeSuite({
  name: 'file, guarded and measured',
  open: () => openFile(`${temporaryFolder()}/store`),
  reopen: async (store) => {
    await store.close()
    return openFile(roots.get(store)!)
  }
})
