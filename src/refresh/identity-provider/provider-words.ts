// Makes what a provider says about an error fit for the log: short, on one line, and without any part of a token or a secret,
// which providers like to repeat in their error descriptions.

const LONGEST = 200
/** More than this is not looked at. */
const READ = 2_000
const HIDDEN = '…'
/** What tokens, secrets and their encodings are made of. */
const RUN = /[\w.~+/=%-]+/g
const RUN_AT_END = /[\w.~+/=%-]+$/
/** A run this long that is not made of plain words, as names and addresses are, may be a token. */
const SUSPICIOUS = 20
const WORD = '(?:[A-Za-z][a-z]{0,19}|[A-Z]{1,20})'
const WORDS = new RegExp(`^/*${WORD}(?:[_./-]+${WORD})*[.]?$`)
/** Trace ids, which the provider's support asks for. */
const UUID = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}[.]?$/i
/** Parts of a secret that are shorter tell nothing, and appear by chance. */
const TELLING = 6
/** A shorter text is no secret, and would blank out everything. */
const SHORTEST_SECRET = 4

/** The text in quotes for a message, or nothing where nothing of it can be shown. `secrets` are what went to the provider. */
export function providerWords(text: unknown, secrets: readonly string[]): string | undefined {
  if (typeof text !== 'string') return undefined
  const known = secrets.flatMap((secret) => [secret, encodeURIComponent(secret)]).filter(isSecret)
  let words = text.slice(0, READ)
  if (text.length > READ) words = words.replace(RUN_AT_END, '')
  for (const secret of known) words = words.replaceAll(secret, HIDDEN)
  words = words
    .replace(/[\p{C}\p{Z}]+/gu, ' ')
    .replaceAll('"', "'")
    .replace(RUN, (run) => (mayBeSecret(run, known) ? HIDDEN : run))
    .trim()
  if (!/[\p{L}\p{N}]/u.test(words)) return undefined
  const characters = [...words]
  return `"${characters.length > LONGEST ? `${characters.slice(0, LONGEST).join('')}${HIDDEN}` : words}"`
}

function isSecret({ length }: string): boolean {
  return length >= SHORTEST_SECRET
}

function mayBeSecret(run: string, secrets: readonly string[]): boolean {
  if (run.length >= TELLING && secrets.some((secret) => secret.includes(run))) return true
  return run.length >= SUSPICIOUS && !WORDS.test(run) && !UUID.test(run)
}
