// How is a part of a pod spec said in CEL? As the mutating policies of Kubernetes want it: each map of the API is an object
// of the type that its place has.

/** What in a value is known only when the expression is evaluated. */
export interface Unknowns {
  /** Texts and numbers that stand for an expression, wherever they are found: as a whole, or within a text. */
  readonly expressions: Readonly<Record<string, string>>
  /** When an item of the list at this place is there; nothing where it always is. */
  readonly condition: (place: string, item: unknown) => string | undefined
}

/** Maps that the API keeps as maps of texts. */
const textMap = /\.(?:requests|limits)$/

/** Writes the value as CEL of the type that its place has, such as `Object.spec.volumes`, over several lines. */
export function toCel(value: unknown, place: string, unknowns: Unknowns, indent = ''): string {
  if (typeof value === 'string') return textInCel(value, unknowns)
  if (Array.isArray(value)) return listInCel(value, place, unknowns, indent)
  if (typeof value !== 'object' || value === null) return unknowns.expressions[String(value)] ?? String(value)
  const inner = `${indent}  `
  const isOfTexts = textMap.test(place)
  const members = Object.entries(value).map(([name, part]) => {
    const label = isOfTexts ? JSON.stringify(name) : name
    return `${inner}${label}: ${toCel(part, `${place}.${name}`, unknowns, inner)}`
  })
  return `${isOfTexts ? '' : place}{\n${members.join(',\n')}\n${indent}}`
}

function listInCel(list: readonly unknown[], place: string, unknowns: Unknowns, indent: string): string {
  const inner = `${indent}  `
  const items = list.map((item) => ({
    text: toCel(item, place, unknowns, inner),
    when: unknowns.condition(place, item),
  }))
  if (items.every(({ when }) => when === undefined)) return `[${items.map(({ text }) => text).join(', ')}]`
  return items
    .map(({ text, when }) => (when === undefined ? `[${text}]` : `(${when} ? [${text}] : [])`))
    .join(` +\n${inner}`)
}

function textInCel(text: string, { expressions }: Unknowns): string {
  const [found] = Object.entries(expressions).filter(([name]) => text.includes(name))
  if (found === undefined) return JSON.stringify(text)
  const [name, expression] = found
  if (text === name) return expression
  const [before = '', after = ''] = text.split(name)
  const around = (part: string) => (part === '' ? [] : [JSON.stringify(part)])
  return [...around(before), `string(${expression})`, ...around(after)].join(' + ')
}
