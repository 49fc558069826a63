// Where does the gate ask for the probes of the app? Addresses of this machine alone: the admin port answers everybody who
// reaches it, and must not be made to ask anything else.
import * as z from 'zod'
import { type ProbeTarget, probeKinds } from '../../model/app-probe.ts'
import { quote } from './quote.ts'
import { isGroup, noted, unexpected } from './value-types.ts'

const TARGET_EXPECTS = 'a URL of this machine such as "http://127.0.0.1:3000/health" or "tcp://127.0.0.1:3000"'
const CONTAINER_NAME = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/
const HEADER_NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,64}$/
const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]{0,1024}$/
const MOST_CONTAINERS = 32
const MOST_HEADERS = 32

/** A URL, or a URL with headers. The value has the headers only where there are some. */
export function probeTarget() {
  const given = z.union([
    z.string(),
    z.strictObject({ url: z.string(), headers: z.record(z.string(), z.string()).exactOptional() }),
  ])
  const read = given.transform((value, context): ProbeTarget => {
    const { url, headers = {} } = typeof value === 'string' ? { url: value } : value
    if (!isProbeUrl(url)) context.addIssue({ code: 'custom', message: unexpected(TARGET_EXPECTS, url) })
    for (const [name, text] of Object.entries(headers))
      if (!HEADER_NAME.test(name) || !HEADER_VALUE.test(text))
        context.addIssue({ code: 'custom', path: ['headers', name], message: `Cannot send the header ${quote(name)}` })
    const entries = Object.entries(headers).map(([name, text]) => [name.toLowerCase(), text] as const)
    if (entries.length > MOST_HEADERS)
      context.addIssue({ code: 'custom', message: `Expected at most ${MOST_HEADERS} headers, got ${entries.length}` })
    return entries.length === 0 ? url : { url, headers: Object.fromEntries(entries) }
  })
  return noted(read, { kind: 'URL or group', expects: TARGET_EXPECTS })
}

function isProbeUrl(text: string): boolean {
  // WHATWG parsing drops tabs and newlines and trims spaces: what it would mend is refused here.
  if (text.length > 2048 || !/^(?:https?|tcp):\/\/[\x21-\x5b\x5d-\x7e]+$/.test(text)) return false
  const url = URL.parse(text)
  if (url === null || url.username !== '' || url.password !== '' || url.hash !== '') return false
  if (!/^(localhost|127(\.\d{1,3}){3}|\[::1\])$/.test(url.hostname)) return false
  return url.protocol !== 'tcp:' || (url.port !== '' && /^tcp:\/\/[^/?]+$/.test(text))
}

/** A map whose keys are the names of containers. */
export function byContainer<S extends z.ZodType>(item: S) {
  const schema = z.record(z.string(), item).superRefine(
    (given, context) => {
      const names = Object.keys(given)
      for (const name of names)
        if (!CONTAINER_NAME.test(name))
          context.addIssue({
            code: 'custom',
            path: [name],
            message: unexpected('the name of a container such as "app"', name),
          })
      if (names.length > MOST_CONTAINERS)
        context.addIssue({
          code: 'custom',
          message: `Expected at most ${MOST_CONTAINERS} containers, got ${names.length}`,
        })
    },
    { when: (payload) => isGroup(payload.value) },
  )
  return noted(schema, {
    kind: 'map',
    expects: `a map from containers to probes (${probeKinds.join(', ')}) and their URLs`,
  })
}
