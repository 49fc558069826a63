// Which values does the chart take? The settings by their table, the chart's own by the list here, as JSON Schema: helm checks
// with it what is given, before it renders anything.
import { jsonSchema } from '../../src/config/schema.ts'

type Schema = Readonly<Record<string, unknown>>

const text: Schema = { type: 'string' }
const flag: Schema = { type: 'boolean' }
const count: Schema = { type: 'integer', minimum: 1 }
const texts: Schema = { type: 'array', items: text }
const anything: Schema = { type: 'object' }
const labels: Schema = { type: 'object', additionalProperties: text }
const quantity: Schema = { type: ['string', 'number'] }
const duration: Schema = { type: 'string', pattern: '^([0-9]+(ms|s|m|h))+$' }

function map(properties: Readonly<Record<string, Schema>>): Schema {
  return { type: 'object', properties, additionalProperties: false }
}

const quantities = map({
  requests: map({ cpu: quantity, memory: quantity }),
  limits: map({ cpu: quantity, memory: quantity }),
})
// Of the gate only what an annotation can change as well.
const gateQuantities = map({ requests: map({ cpu: quantity, memory: quantity }), limits: map({ memory: quantity }) })

/** The JSON Schema of values.yaml, as a plain object. */
export function chartSchema(): Schema {
  const { $schema, title: _title, required: _required, ...settings } = jsonSchema()
  return {
    $schema,
    title: 'Values of the chart of Sidegate',
    ...map({
      image: map({ repository: text, tag: text, pullPolicy: { enum: ['', 'Always', 'IfNotPresent', 'Never'] } }),
      injection: map({
        // YAML 1.1 reads a bare off as false.
        mode: { enum: ['policy', 'webhook', 'off', false] },
        namespaceSelector: anything,
        namespaces: texts,
      }),
      settings: asGoReads(withoutLeast(settings)) as Schema,
      secretName: text,
      resources: gateQuantities,
      injector: map({ replicas: count, resources: quantities }),
      certManager: map({ enabled: flag, issuerRef: anything }),
      redis: map({ enabled: flag, image: text, passwordKey: text, storage: quantity }),
      monitoring: map({
        podMonitor: map({ enabled: flag, labels, interval: duration, namespaces: texts }),
        serviceMonitor: map({ enabled: flag, labels, interval: duration }),
        rules: map({ enabled: flag, labels }),
        dashboard: map({ enabled: flag, labels }),
      }),
      networkPolicy: map({ enabled: flag, monitoringNamespaces: texts }),
      podDisruptionBudget: map({ enabled: flag, minAvailable: count }),
      demo: map({ enabled: flag, image: text }),
      // What a chart that depends on this one may set.
      global: anything,
      enabled: flag,
    }),
  }
}

/** Lets the list of issuers be empty: a guard of the chart then says how to fill it, which a schema cannot. */
function withoutLeast(settings: Schema): Schema {
  const properties = settings.properties as Readonly<Record<string, Schema>>
  const { minItems: _minItems, ...issuers } = properties.issuers ?? {}
  return { ...settings, properties: { ...properties, issuers } }
}

/** Leaves out what looks ahead in a pattern: helm reads patterns as Go does. The gate itself holds to them. */
function asGoReads(part: unknown): unknown {
  if (Array.isArray(part)) return part.map(asGoReads)
  if (typeof part !== 'object' || part === null) return part
  const kept = Object.entries(part).filter(
    ([name, value]) => !(name === 'pattern' && typeof value === 'string' && /\(\?[=!<]/.test(value)),
  )
  return Object.fromEntries(kept.map(([name, value]) => [name, asGoReads(value)]))
}
