// Text from outside, as it may stand on a terminal or in a page of lines: characters that would be acted on (control characters,
// escape sequences), that turn the direction of what follows, or that nobody sees, are spelled out. The rest stays as it is.

/** What is not seen, or turns the direction; C1, which some terminals take for escape sequences. */
const UNSEEN =
  /[\u007f-\u009f\u00ad\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\u{e0000}-\u{e0fff}]/gu
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const CONTROL = /[\u0000-\u0009\u000b-\u001f]/g

/** The text with `\u202e` and its like in place of the characters. Line ends stay. JSON keeps its meaning: they stand in texts there. */
export function visibleText(text: string): string {
  return visibleLine(text.replace(CONTROL, spelledOut))
}

/** The same for a line that has colours: escape sequences stay. */
export function visibleLine(line: string): string {
  return line.replace(UNSEEN, spelledOut)
}

function spelledOut(character: string): string {
  const units = Array.from({ length: character.length }, (_, at) => character.charCodeAt(at))
  return units.map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`).join('')
}
