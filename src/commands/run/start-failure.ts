// Why can a gate not start? One line for the person who started it, with the setting to change.

import type { Config } from '../../config/options.ts'
import { codeOf, messageOf } from '../../model/error.ts'

export function startFailure(error: unknown, config: Config): string {
  const code = codeOf(error)
  const { address, port } = error as { address?: string; port?: number }
  const place = address?.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
  const setting = port === config.listen.port ? 'listen' : 'admin.listen'
  if (code === 'EADDRINUSE') return `Cannot listen on "${place}": another process does already; change "${setting}"`
  if (code === 'EACCES')
    return `Cannot listen on "${place}": permission is denied; use a port above 1023 in "${setting}"`
  if (code === 'EADDRNOTAVAIL')
    return `Cannot listen on "${place}": this machine has no such address; change "${setting}"`
  return `Cannot start: ${messageOf(error)}`
}
