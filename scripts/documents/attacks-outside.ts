// What trying the product from outside has found: at real app servers, real identity providers and real Redis, in the same form as
// the public catalogues in attacks.ts.
import type { AttackSection } from './attacks.ts'

export const outsideSections: readonly AttackSection[] = [
  {
    title: 'Names that apps fold',
    attacks: [
      [
        'identity-under-folded-name',
        'An identity, a path, an address or a certificate under a name that CGI, PHP or WSGI fold to the right one',
        'Figure: 42 spellings at six app servers, 0 forged',
      ],
      ['httpoxy', 'httpoxy, CVE-2025-29927, X-Accel, X-Sendfile, Remote-User'],
      ['list-of-headers-around-gate', 'A public list of headers that lead around a gate'],
      ['app-certificate-decided-by-host', 'The certificate check of an app decided by the Host of a client'],
      ['forwarding-headers-contradict', 'Forwarding headers that contradict each other'],
      ['identity-values-shared', 'Identity values that two people share'],
    ],
  },
  {
    title: 'Two readers of one request',
    attacks: [
      [
        'authorization-as-passport-reads',
        'An Authorization that passport-jwt reads and the gate does not: TAB, no-break space, quotes',
      ],
      ['cookies-under-another-name', 'Cookies that PHP, Python, Rack or ASP.NET read under another name'],
      ['cookie-value-beside-judged', 'A value of the cookie that the gate does not judge, beside the one that it does'],
      ['query-parameters-as-lists', 'Query parameters read as lists or behind a semicolon'],
      ['second-cookie-of-name', 'A second cookie of the name, set by another host'],
      [
        'websocket-from-another-origin',
        'A page of another origin that opens a WebSocket with the cookie of the browser',
      ],
      [
        'tokens-made-for-another-purpose',
        'Tokens made for another purpose: log-out, events, proofs, refresh, ID',
        'Figure: 19 types and 7 shapes of claims, 0 admitted',
      ],
      ['bound-token-without-proof', 'A token bound to a key, without its proof'],
    ],
  },
  {
    title: 'Rules for paths at lenient apps',
    attacks: [
      ['letter-case-past-rule', 'Letter case, slashes and Unicode past a rule'],
      ['head-past-rule-for-get', 'HEAD past a rule for GET'],
      ['terminal-characters', 'Characters that turn the text of a terminal round'],
    ],
  },
  {
    title: 'Revocations that have to hold',
    attacks: [
      ['loss-failover-clocks-apart', 'Loss, failover and clocks apart'],
      ['lift-from-future', 'A lift from the future, an id of 16 digits'],
      ['entry-trimmed-while-in-force', 'An entry that is trimmed while it is in force'],
      ['automatic-write-weakens-rule', 'An automatic write that weakens a rule'],
      ['successors-of-forged-token', 'Successors of a token that was forged with a stolen key'],
      ['open-connection-refused-anew', 'An open connection whose token would be refused anew'],
      ['replaced-worker-with-other-settings', 'A replaced worker with other settings'],
      ['gates-of-older-version', 'Gates of an older version beside new ones'],
      [
        'redis-cluster-moves-slot',
        'A Redis Cluster that moves the slot of the log, or has its keys on two nodes for a while',
      ],
      ['lone-master', 'A master that lost its replica, and takes rules that a failover will forget'],
      ['entry-of-newer-version', 'An entry of a newer version, with a field or a kind that this one does not know'],
      ['reload-changes-lifetimes', 'A reload that changes how long tokens live, and so when rules end'],
      ['lift-by-one-address', 'A lift by one address of a rule that has two: an issuer, or a session beside its token'],
    ],
  },
  {
    title: 'Identity providers in trouble',
    attacks: [
      ['one-person-fails', 'One person whose tokens fail costs others theirs'],
      ['refresh-token-spent-twice', 'A refresh token that is spent twice, or thrown away'],
      ['token-in-provider-words', "A token or a control character in the provider's words"],
      ['junk-with-unknown-key-ids', 'Junk with unknown key ids before each rotation'],
      ['set-changes-during-verification', 'A set that changes during a verification, or is withdrawn'],
      ['proxy-leads-to-another-server', 'A proxy that leads to another server'],
    ],
  },
  {
    title: 'The browser client',
    attacks: [
      ['late-next-token', 'A late next token of the session before'],
      ['sign-out-misses-tab', 'A sign-out that misses a tab'],
      ['challenge-of-another-origin', 'A challenge of another origin, or one that only looks like one'],
    ],
  },
  {
    title: 'The admin port and the cluster',
    attacks: [
      ['guessing-admin-token', 'Guessing the admin token'],
      ['flooding-admin-port', 'Flooding the admin port'],
      ['flooding-with-handshakes', 'Flooding the port of the app with handshakes that never end'],
      ['ipv4-client-of-dual-stack', 'An IPv4 client of a dual-stack listener that counts as another address'],
      ['upgrade-changes-settings', 'An upgrade that changes what settings mean'],
      ['client-certificate-of-removed-authority', 'A client certificate of an authority that was removed'],
      ['revoked-client-certificate', 'A revoked client certificate, and a list that TLS would not use'],
      [
        'app-mounts-keys',
        'An app that mounts the keys of the gate, a label that nobody sees, a Redis without password',
      ],
      ['redis-is-something-else', 'Redis that is something else'],
      ['redis-cluster-down', 'A Redis Cluster that is down, or announces addresses that lead nowhere'],
    ],
  },
]
