// Addresses that Redis announces and their counterparts as this network knows them: `{ "10.0.0.5:6379": "redis.example.com:7001" }`.
import * as z from 'zod'
import { noted, unexpected } from './value-types.ts'

const EXPECTS = 'an address such as "10.0.0.5:6379"'
const ADDRESS = /^(?:\[[0-9a-fA-F:.]+\]|[\w.-]{1,253}):([1-9]\d{0,4})$/
const MOST_ADDRESSES = 256

/** A map from `host:port` as Redis announces it to `host:port` as it is reached. */
export function natMap() {
  const schema = z.record(z.string(), z.string()).superRefine((given, context) => {
    const entries = Object.entries(given)
    for (const [announced, reached] of entries)
      for (const text of [announced, reached])
        if (!isAddress(text))
          context.addIssue({ code: 'custom', path: [announced], message: unexpected(EXPECTS, text) })
    if (entries.length === 0 || entries.length > MOST_ADDRESSES)
      context.addIssue({
        code: 'custom',
        message: `Expected 1 to ${MOST_ADDRESSES} addresses, got ${entries.length}`,
      })
  })
  return noted(schema, {
    kind: 'map of addresses',
    expects: 'a map such as { "10.0.0.5:6379": "redis.example.com:7001" }',
  })
}

function isAddress(text: string): boolean {
  const port = ADDRESS.exec(text)?.[1]
  return port !== undefined && Number(port) <= 65_535
}
