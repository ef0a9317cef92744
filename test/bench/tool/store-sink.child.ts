/** The bare end of a store: takes any PUT and forgets it, answers any GET with a range of zeros. Prints its port. */
import { createServer, type AddressInfo } from 'node:net'

const HEAD_END = Buffer.from('\r\n\r\n')
const PUT_ANSWER = Buffer.from('HTTP/1.1 200 OK\r\netag: "x"\r\ncontent-length: 0\r\n\r\n')
const PIECE = Buffer.alloc(256 * 1024)

const server = createServer((socket) => {
  socket.setNoDelay(true)
  socket.on('error', () => {}) // the client is done
  let head = Buffer.alloc(0)
  let bodyLeft = 0
  const answer = (text: string): void => {
    if (text.startsWith('PUT')) {
      socket.write(PUT_ANSWER)
      return
    }
    const [, first = '0', last = '0'] = /range: bytes=(\d+)-(\d+)/i.exec(text) ?? []
    let left = Number(last) - Number(first) + 1
    socket.write(`HTTP/1.1 206 Partial Content\r\ncontent-range: bytes ${first}-${last}/${2 ** 30}\r\ncontent-length: ${left}\r\n\r\n`)
    for (; left > 0; left -= PIECE.length) socket.write(left >= PIECE.length ? PIECE : PIECE.subarray(0, left))
  }
  let request = ''
  socket.on('data', (bytes: Buffer<ArrayBuffer>) => {
    for (let rest = bytes; rest.length > 0;) {
      if (bodyLeft > 0) {
        const taken = Math.min(bodyLeft, rest.length)
        bodyLeft -= taken
        rest = rest.subarray(taken)
      } else {
        head = head.length === 0 ? rest : Buffer.concat([head, rest])
        const end = head.indexOf(HEAD_END)
        if (end < 0) return
        request = head.toString('latin1', 0, end)
        rest = head.subarray(end + HEAD_END.length)
        head = Buffer.alloc(0)
        bodyLeft = Number(/content-length: (\d+)/i.exec(request)?.[1] ?? 0)
      }
      if (bodyLeft === 0 && request !== '') {
        answer(request)
        request = ''
      }
    }
  })
})
server.listen(0, '127.0.0.1', () => { process.stdout.write(`${(server.address() as AddressInfo).port}\n`) })
