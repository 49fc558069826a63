// What an upgrade changes for routes: they are asked in every spelling that an app takes for their path, `{name}` is a segment, and
// GET covers HEAD. Compares nothing that `check` refuses anyway.

import { itemsAt, valueAt } from '../sources/written.ts'
import type { SettingPath, UpgradeChange, WrittenSettings } from './change.ts'

/** Rows of the table of changes. */
export const routeChanges: readonly UpgradeChange[] = [
  {
    id: 'route-spelling',
    changed:
      'This route is asked in any letter case, and with or without a slash at the end: other spellings went on to later routes',
    find: everySpelling,
    note: 'where the app takes another spelling for another page, put a route for that spelling before this one',
  },
  {
    id: 'route-name',
    changed: '{name} is one segment of any text: it was these characters and nothing else',
    find: named,
    note: 'where that is too much, write the path out, or remove the route: hardly any request matched it',
  },
  {
    id: 'route-head',
    changed: 'GET covers HEAD: HEAD went on to later routes, else it needed a token and nothing more',
    find: headless,
    note: 'where HEAD asks for something else, put a route for it before this one: { path: …, methods: [HEAD] }',
  },
]

interface WrittenRoute {
  readonly place: SettingPath
  readonly path: string
  /** Undefined: all. */
  readonly methods: readonly unknown[] | undefined
  readonly isPublic: boolean
  readonly hasDemands: boolean
}

function routesOf({ settings }: WrittenSettings): readonly WrittenRoute[] {
  return itemsAt(settings, ['routes']).flatMap((route, index) => {
    const path = valueAt(route, ['path'])
    if (typeof path !== 'string') return []
    return [
      {
        place: ['routes', index],
        path,
        methods: valueAt(route, ['methods']) === undefined ? undefined : itemsAt(route, ['methods']),
        isPublic: valueAt(route, ['access']) === 'public',
        hasDemands: itemsAt(route, ['scopes']).length > 0 || Object.keys(Object(valueAt(route, ['claims']))).length > 0,
      },
    ]
  })
}

/** A route that asks for no more than a token changes something only where a later one asks for less. */
function* everySpelling(written: WrittenSettings): Generator<SettingPath> {
  const routes = routesOf(written)
  for (const [index, { place, path, isPublic, hasDemands }] of routes.entries()) {
    if (isPublic || path === '/*') continue
    const isFollowedByPublic = routes.slice(index + 1).some((later) => later.isPublic && later.path.endsWith('/*'))
    if (hasDemands || isFollowedByPublic) yield [...place, 'path']
  }
}

function* named(written: WrittenSettings): Generator<SettingPath> {
  for (const { place, path } of routesOf(written)) if (/\/\{[^{}/]*\}(?=\/|$)/.test(path)) yield [...place, 'path']
}

/** Not where an earlier route of this path says what HEAD needs. */
function* headless(written: WrittenSettings): Generator<SettingPath> {
  const routes = routesOf(written)
  for (const [index, { place, path, methods }] of routes.entries()) {
    if (methods === undefined || !methods.includes('GET') || methods.includes('HEAD')) continue
    const isSaid = routes
      .slice(0, index)
      .some((other) => other.path === path && (other.methods === undefined || other.methods.includes('HEAD')))
    if (!isSaid) yield [...place, 'methods']
  }
}
