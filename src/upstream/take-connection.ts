// Does anything take connections there?
import { connect } from 'node:net'

/** Opens a connection and ends it at once. Rejects where none is taken, and when the signal is aborted. */
export function takeConnection(host: string, port: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, signal })
    socket.once('connect', () => {
      resolve()
      socket.destroy()
    })
    socket.on('error', reject)
    socket.on('close', () => reject(new Error('closed')))
  })
}
