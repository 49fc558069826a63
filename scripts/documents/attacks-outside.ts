// What trying the product from outside has found: at real app servers, real identity providers and real Redis, in the same form as
// the public catalogues in attacks.ts.
import type { AttackSection } from './attacks.ts'

export const outsideSections: readonly AttackSection[] = [
  {
    title: 'Names that apps fold',
    attacks: [
      [
        'An identity, a path, an address or a certificate under a name that CGI, PHP or WSGI fold to the right one',
        'end-to-end/folded-names › with a token that has every claim, no header is forged',
        'end-to-end/folded-names › on a public path, no header is forged',
        'http/headers/names › no name that folds to a protected one crosses, whatever the settings',
        'Figure: 42 spellings at six app servers, 0 forged',
      ],
      [
        'httpoxy, CVE-2025-29927, X-Accel, X-Sendfile, Remote-User',
        'wire/headers › what is internal to proxies and frameworks crosses from nobody, not from a trusted proxy either',
      ],
      [
        'A public list of headers that lead around a gate',
        'wire/headers › no header of a public list of ways around a gate reaches the app from a stranger',
      ],
      [
        'The certificate check of an app decided by the Host of a client',
        'wire/upstream-tls › what a client writes into Host decides neither whom the gate trusts nor when it connects',
      ],
      [
        'Forwarding headers that contradict each other',
        'http/headers/forwarded › Forwarded beside X-Forwarded-*: those count, as many proxies pass on a Forwarded of the client',
        'http/headers/forwarded › a Forwarded of one megabyte is read in the time of its length',
      ],
      [
        'Identity values that two people share',
        'http/headers/identity › a number that JSON has rounded gives no header',
      ],
    ],
  },
  {
    title: 'Two readers of one request',
    attacks: [
      [
        'An Authorization that passport-jwt reads and the gate does not: TAB, no-break space, quotes',
        'token/extraction/extract › a TAB',
        'token/extraction/extract › a no-break space before it',
      ],
      [
        'Cookies that PHP, Python, Rack or ASP.NET read under another name',
        'token/extraction/extract › a dot, as PHP reads it',
        'token/extraction/extract › behind white space, as Python reads it',
        'token/extraction/extract › a value in quotes, which most parsers undo',
      ],
      [
        'A value of the cookie that the gate does not judge, beside the one that it does',
        'token/extraction/extract › a value of the name that is no token is no second one, and known to stand beside the token',
        'http/headers/strip-token › of several tokens in a cookie only the judged one stays',
        'http/headers/strip-token › an equal token goes from every place where it was found',
      ],
      [
        'Query parameters read as lists or behind a semicolon',
        'token/extraction/extract › a list',
        'token/extraction/extract › behind a semicolon',
      ],
      [
        'A second cookie of the name, set by another host',
        'gate/several-tokens › the one that was issued last counts, and at the same second the one that lives longer',
        'gate/several-tokens › tokens of different people, or of different issuers, are nobody knows whose',
        'end-to-end/cookies › of one person: a revoked newest one is refused, and no older one takes its place',
      ],
      [
        'A page of another origin that opens a WebSocket with the cookie of the browser',
        'end-to-end/cookies › opens for a page of this host and of a known origin, and for no other',
      ],
      [
        'Tokens made for another purpose: log-out, events, proofs, refresh, ID',
        'token/token-types › an event of Shared Signals',
        'Figure: 19 types and 7 shapes of claims, 0 admitted',
      ],
      [
        'A token bound to a key, without its proof',
        'token/verify › refuses a token that is bound to a key as proof_missing',
      ],
    ],
  },
  {
    title: 'Rules for paths at lenient apps',
    attacks: [
      [
        'Letter case, slashes and Unicode past a rule',
        'fuzz/routes › leniency never admits what the letter refuses',
        'end-to-end/lenient-apps › GET /api/admin/users: no spelling gets there without a token or without the scope',
      ],
      [
        'HEAD past a rule for GET',
        'end-to-end/lenient-apps › HEAD /report: no spelling gets there without a token or without the scope',
      ],
      [
        'Characters that turn the text of a terminal round',
        'commands/visible-output › token inspect spells out what is in the claims and in the header',
      ],
    ],
  },
  {
    title: 'Revocations that have to hold',
    attacks: [
      [
        'Loss, failover and clocks apart',
        'revocation/order › two gates, loss, a failover that keeps a rule and its lift, a clock 20 s behind, a gate that starts later: the same verdicts',
        'revocation/order › a wiped Redis continues behind what is known: a plain entry counts over an older lift',
      ],
      [
        'A lift from the future, an id of 16 digits',
        'revocation/order › a lift whose "at" lies ahead does not swallow the rule that comes after it',
        'revocation/order › an id of 16 digits is a rule, later entries are read, and a lift that cannot count is refused',
      ],
      [
        'An entry that is trimmed while it is in force',
        'revocation/log/writing/trimming › a command line never trims',
        'revocation/log/writing/trimming › a gate writes back what another program trimmed in force, though it counted it as ended',
      ],
      [
        'An automatic write that weakens a rule',
        'revocation/rule/sources › an automatic write never weakens a rule in force',
      ],
      [
        'Successors of a token that was forged with a stolen key',
        'end-to-end/stolen-key › a successor of a forged token ends on every gate once its key is revoked and removed; those of other keys live',
      ],
      [
        'An open connection whose token would be refused anew',
        'end-to-end/open-connections › when the identity provider publishes its keys without the one of its token',
        'end-to-end/open-connections › an open WebSocket goes on while the list is too old to tell, though new requests are refused',
      ],
      [
        'A replaced worker with other settings',
        'end-to-end/workers › is replaced by one with the settings of the others, also where the file names others by now',
      ],
      [
        'Gates of an older version beside new ones',
        'end-to-end/upgrade › revokes and lifts by the command line, on every gate',
        'revocation/log/redis-rights › of a gate of 7d4b85d still carry all that it did, and one line says what to give now',
      ],
      [
        'A Redis Cluster that moves the slot of the log, or has its keys on two nodes for a while',
        'revocation/faults/cluster › with MOVED and ASK: gates follow it, rules stay in force, and writes go to the new place',
        'revocation/faults/cluster › a look-up finds a rule whose key is behind while keys of other facts are nowhere',
        'redis/slot-moves › a write whose outcome is not known is never sent again',
      ],
      [
        'A master that lost its replica, and takes rules that a failover will forget',
        'redis/lone-master › a copy grows stale when the replica is gone, still hears of rules, and is current again when it is back',
        'redis/lone-master › look-ups count as stale while the replica is gone',
      ],
      [
        'An entry of a newer version, with a field or a kind that this one does not know',
        'revocation/log/reading/unknown-entries › a rule with an unknown field counts for everybody',
        'revocation/log/reading/unknown-entries › a lift with an unknown field, version or demand lifts nothing, and "x-" fields are notes',
        'revocation/log/reading/unknown-entries › an unknown kind survives a flush with its fields and its time, and is told',
      ],
      [
        'A reload that changes how long tokens live, and so when rules end',
        'end-to-end/lifetime-reload › a reloaded maxLifetime is the end of rules without one, and a reloaded clockTolerance keeps them',
      ],
      [
        'A lift by one address of a rule that has two: an issuer, or a session beside its token',
        'servers/admin/revocation-api › where only the rule of an issuer is in force, the 404 says how to lift that one',
        "servers/admin/revocation-api › of a token names the session's rule that was written beside it, and leaves it in force",
        'commands/revocations/revocations › that is lifted without the issuer stays, and the answer says which option lifts it',
        'commands/revocations/revocations › is in force over a lift from a machine whose clock is ahead, however long the log is',
      ],
    ],
  },
  {
    title: 'Identity providers in trouble',
    attacks: [
      [
        'One person whose tokens fail costs others theirs',
        'refresh/identity-provider/exchange › also where two fail, as soon as another one asks: who has not failed comes first',
      ],
      [
        'A refresh token that is spent twice, or thrown away',
        'end-to-end/refresh-grant › does not use the refresh token again of a gate that was killed while it asked, and says so once',
        'refresh/identity-provider/refresh-grant › is rotated by an answer with a scope of null',
        'refresh/identity-provider/refresh-grant › is in Redis before the access token that came with it is judged',
      ],
      [
        "A token or a control character in the provider's words",
        'refresh/identity-provider/token-endpoint › are told without the token',
        'refresh/identity-provider/token-endpoint › are told on one line, without what a terminal acts on',
      ],
      [
        'Junk with unknown key ids before each rotation',
        'token/keys/unknown-keys › admits every fresh token, though junk with unknown key ids came just before',
        'end-to-end/provider-keys › rotates its keys under load, and under junk, and no token is refused',
      ],
      [
        'A set that changes during a verification, or is withdrawn',
        'token/verify › a set that changes while a signature is verified is no verdict on it: 503, and not remembered',
        'token/keys/unknown-keys › counts when it still is so half a minute later',
      ],
      [
        'A proxy that leads to another server',
        'end-to-end/outbound-proxy › do not come from a provider that another authority vouches for: the tunnel is no proof',
      ],
    ],
  },
  {
    title: 'The browser client',
    attacks: [
      [
        'A late next token of the session before',
        'client/client › not the late next of the session before, once somebody has stepped up',
      ],
      [
        'A sign-out that misses a tab',
        'browser/tabs › sign out together with storages of their own, also where one holds a later token',
      ],
      [
        'A challenge of another origin, or one that only looks like one',
        'client/client › not along with a redirect to another origin, whose 401 ends nothing',
        'client/client › that quotes a whole challenge',
      ],
    ],
  },
  {
    title: 'The admin port and the cluster',
    attacks: [
      [
        'Guessing the admin token',
        'servers/admin/revocation-api › many wrong tokens at once are not all judged, and lock nobody out',
      ],
      ['Flooding the admin port', 'http/probes › silent connections and unfinished heads keep no probe out'],
      [
        'Flooding the port of the app with handshakes that never end',
        'wire/secure › keeps no good client out, however many connections say nothing',
      ],
      [
        'An IPv4 client of a dual-stack listener that counts as another address',
        'end-to-end/address-families › a trusted proxy that comes by IPv4 to a listener of both is known by its range, and named in its own form',
      ],
      [
        'An upgrade that changes what settings mean',
        'commands/manifests/doctor-upgrade › every change has cases here, and every case a change',
        'commands/manifests/doctor-upgrade › is kept by what it says',
      ],
      [
        'A client certificate of an authority that was removed',
        'wire/secure › ends connections of the one before: idle ones at once, others after their answer',
        'end-to-end/client-certificates › ends what clients of the one before hold open: an idle connection, a WebSocket, an answer once it is whole',
        'end-to-end/client-certificates › are refused, and no others; those revoked by a reload lose what they hold open',
      ],
      [
        'An app that mounts the keys of the gate, a label that nobody sees, a Redis without password',
        'kubernetes/injection/injection › by the volume of the gate',
        'commands/manifests/inject › a label where no gate can be put is reported, and nothing is written',
        'packaging/chart › lets only pods with a gate reach the Redis, and only monitoring the admin port of a gate',
      ],
      ['Redis that is something else', 'redis/errors › a server that speaks HTTP'],
      [
        'A Redis Cluster that is down, or announces addresses that lead nowhere',
        'revocation/faults/cluster › says that a Cluster is down whose nodes answer, and ends',
        'revocation/faults/cluster › names an address that a Cluster announces and that leads nowhere; natMap says where it is',
      ],
    ],
  },
]
