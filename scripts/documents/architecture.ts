// The picture of the rooms in docs/architecture.md: the folders with what each is for, and which way imports run. Written
// between two marks in a page that is otherwise written by hand.
import { type Room, rooms, subRooms } from './rooms.ts'

const BEGIN = '<!-- Written by "npm run generate" from scripts/documents/rooms.ts, down to the next mark. -->'
const END = '<!-- Up to here. -->'

/** Puts the picture into the page. Throws where the marks are missing. */
export function withRooms(page: string): string {
  const [before, after] = [page.indexOf(BEGIN), page.indexOf(END)]
  if (before < 0 || after < before) throw new Error(`Cannot find "${BEGIN}" and "${END}" in the page`)
  return `${page.slice(0, before)}${BEGIN}\n\n${tree()}\n${graph()}\n${page.slice(after)}`
}

function tree(): string {
  const lines = rooms.flatMap((room) => [`${nameOf(room).padEnd(20)}${room.purpose}`, ...foldersIn(room)])
  return `\`\`\`text\nsrc/\n${lines.map((line) => `${line}\n`).join('')}\`\`\`\n`
}

const nameOf = ({ path }: Room) => (path.endsWith('.ts') ? path : `${path}/`)

function foldersIn({ path }: Room): readonly string[] {
  const inside = Object.entries(subRooms).filter(([sub]) => sub.startsWith(`${path}/`))
  return inside.map(([sub, { purpose }]) => `${`  ${sub.slice(path.length + 1)}/`.padEnd(22)}${purpose}`.trimEnd())
}

/** The rooms of one gate as a graph: who imports whom, without what can be reached over another room anyway. */
function graph(): string {
  const lines = rooms.flatMap(({ path, imports }) => {
    const direct = imports.filter((room) => !imports.some((other) => other !== room && reaches(other, room)))
    return direct.map((room) => `  ${idOf(path)} --> ${idOf(room)}`)
  })
  return `\`\`\`mermaid\nflowchart TD\n${lines.map((line) => `${line}\n`).join('')}\`\`\`\n`
}

const idOf = (path: string) => path.replace('.ts', '').replace(/[/-]/g, '_')

function reaches(from: string, to: string): boolean {
  const direct = rooms.find(({ path }) => path === from)?.imports ?? []
  return direct.includes(to) || direct.some((room) => reaches(room, to))
}
