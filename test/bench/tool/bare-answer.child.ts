/** Answers each request frame with a fixed number of bytes and does nothing else. Argument: bytes of an answer. */
import { createServer } from 'node:net'

const LENGTH_BYTES = 4
const SLAB_BYTES = 256 * 1_024

const answer = Buffer.alloc(LENGTH_BYTES + Number(process.argv[2]))
answer.writeInt32BE(answer.length - LENGTH_BYTES, 0)

const server = createServer({ noDelay: true, highWaterMark: SLAB_BYTES }, (socket) => {
  let left = 0 // of the frame under way
  const head = Buffer.alloc(LENGTH_BYTES)
  let headBytes = 0
  socket.on('error', () => {}) // the load is over
  socket.on('data', (bytes: Buffer) => {
    socket.cork()
    for (let at = 0; at < bytes.length;) {
      if (left === 0) {
        head[headBytes++] = bytes[at++]!
        if (headBytes < LENGTH_BYTES) continue
        headBytes = 0
        left = head.readInt32BE(0)
      }
      const taken = Math.min(left, bytes.length - at)
      at += taken
      left -= taken
      if (left === 0) socket.write(answer)
    }
    socket.uncork()
  })
})
server.listen(0, '127.0.0.1', () => { process.send!((server.address() as { port: number }).port) })
