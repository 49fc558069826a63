// What does an upgrade change? The shape of a row, which says where a file leaves a changed behaviour to the default.

/** What is known about a gate that will be upgraded. */
export interface WrittenSettings {
  /** As they were written, wrong parts included. */
  readonly settings: unknown
  /** The variables that the gate gets; undefined where that is not known. */
  readonly environment: Readonly<Record<string, string | undefined>> | undefined
  /** The text of a file that the settings name, where it is known. */
  readonly textOf: (path: string) => string | undefined
}

/** A setting that the change is about. */
export type SettingPath = readonly PropertyKey[]

/** One change of behaviour. */
export interface UpgradeChange {
  /** `cookie-source`. */
  readonly id: string
  /** What the new version does. */
  readonly changed: string
  /** Where that happens with these settings. Nothing where they say what they want. */
  readonly find: (written: WrittenSettings) => Iterable<SettingPath>
  /** The value that keeps the old behaviour, as YAML on one line; undefined where no setting does. */
  readonly keep?: string
  /** What else to know or to do. */
  readonly note?: string
}
