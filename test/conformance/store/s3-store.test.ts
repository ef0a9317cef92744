/** The S3 store against the twin of S3; test/services/store runs the same suite against a real server. */
import { after } from 'node:test'
import type { ObjectStore } from '#shared/store/object-store.ts'
import { FakeS3 } from '#test/support/s3/fake-s3.ts'
import { openFake } from '#test/support/s3/open-fake.ts'
import { storeSuite } from './store-suite.ts'

const fakes: FakeS3[] = []
const fakeOf = new WeakMap<ObjectStore, FakeS3>()
after(() => Promise.all(fakes.map((fake) => fake.close())))

async function open(fake: FakeS3, prefix: string): Promise<ObjectStore> {
  const store = await openFake({ endpoint: fake.endpoint, prefix })
  fakeOf.set(store, fake)
  return store
}

for (const prefix of ['', 'clusters/a/']) {
  storeSuite({
    name: `s3, ${prefix === '' ? 'a whole bucket' : 'below a prefix'}`,
    open: async () => {
      const fake = await FakeS3.start()
      fakes.push(fake)
      return open(fake, prefix)
    },
    reopen: async (store) => {
      await store.close()
      return open(fakeOf.get(store)!, prefix)
    }
  })
}
