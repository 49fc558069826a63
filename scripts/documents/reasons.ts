// What does docs/reasons.md say? Built from the table of refusals alone, so that it cannot drift from the program.
import { reasons, refusalSpec } from '../../src/model/refusal.ts'

const introduction = `# Reasons

<!-- Written by "npm run generate" from src/model/refusal.ts. Changes here are lost. -->

A request that the app does not answer is answered by the gate, for one of these reasons. The same word is the \`reason\`
in the problem document and in the access log, the label of \`sidegate_decisions_total\`, and what \`sidegate explain\`
prints.

A refusal answers with a problem document (RFC 9457), \`application/problem+json\`:

\`\`\`json
{ "type": "urn:sidegate:refusal:token_expired", "title": "The token has expired", "status": 401, "reason": "token_expired" }
\`\`\`

- **Challenge** is the \`error\` in \`WWW-Authenticate: Bearer\` (RFC 6750 section 3.1). A request without any token gets the
  bare challenge.
- **503** carries \`Retry-After\`. A trouble of the gate, of the identity provider or of Redis is never a 401.
- \`message_invalid\` answers 405, 408, 413 or 417 where HTTP has a more exact status for the same reason.
- After an answer has begun it cannot be refused any more: it is broken off, so that no client takes it for complete.

`

/** The text of docs/reasons.md. */
export function reasonsPage(): string {
  return introduction + table(['Reason', 'Status', 'Challenge', 'What the client reads'], reasons.map(row))
}

function row(reason: (typeof reasons)[number]): readonly string[] {
  const { status, challenge, sentence } = refusalSpec(reason)
  return [`<a id="${reason}"></a>\`${reason}\``, String(status), challenge ?? '', sentence]
}

function table(titles: readonly string[], rows: readonly (readonly string[])[]): string {
  return [titles, titles.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |\n`).join('')
}
