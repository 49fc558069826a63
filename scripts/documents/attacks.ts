// The public catalogues of attacks and faults: one entry each, with what no test can say of it. A test names the entry that
// it holds: `// holds: <id>` above it (holding-tests.ts).
import { outsideSections } from './attacks-outside.ts'

/**
 * An entry: its id, what it is, and notes, each of which begins with one of the kinds that the page explains. An entry that
 * no test holds needs a note that says why.
 */
export type Attack = readonly [id: string, title: string, ...notes: string[]]

export interface AttackSection {
  readonly title: string
  readonly attacks: readonly Attack[]
}

const outside = 'Outside: the suite itself is run against the built product, not from this repository'

const catalogues: readonly AttackSection[] = [
  {
    title: 'Tokens: form and signature',
    attacks: [
      [
        'wycheproof-json-web-signatures',
        'Wycheproof: JSON web signatures',
        'Figure: 401 cases, 399 decided right, 2 mislabelled',
      ],
      ['wycheproof-as-bearer-tokens', 'The same as bearer tokens end to end', outside],
      ['wycheproof-json-web-keys', 'Wycheproof: JSON web key sets with unsafe, ambiguous or mixed keys'],
      ['encrypted-tokens', 'Encrypted tokens in the place of signed ones'],
      [
        'examples-of-rfc-7520-7797-8037',
        'Examples of RFC 7520, RFC 7797 and RFC 8037; detached, unencoded and unprotected forms',
      ],
      ['claims-of-wrong-type', 'Claims and header members of a wrong type, as Envoy reads them'],
      ['alg-none-in-every-spelling', 'alg "none" in every spelling'],
      ['public-key-as-hmac-secret', 'The public key as an HMAC secret, in every writing'],
      ['algorithm-chosen-by-token', 'The algorithm chosen by the token'],
      ['key-in-token-jwk-x5c', 'A key in the token: jwk, x5c'],
      ['key-address-in-token-jku', 'A key address in the token: jku, x5u'],
      ['key-id-that-is-a-path', 'A key id that is a path, SQL, 64 KiB, an object, a line end or __proto__'],
      ['empty-signature-or-secret', 'An empty signature, an empty or short secret'],
      ['ecdsa-signatures-of-zeros', 'ECDSA signatures of zeros or of the order'],
      ['rsa-padding-forgeries', 'RSA padding forgeries'],
      ['crit-and-b64', 'crit, empty crit, b64'],
      ['duplicate-json-members', 'Duplicate JSON members, also with escapes'],
      ['payload-that-is-no-object', 'A payload or header that is no object'],
      ['lax-base64url', 'Lax base64url: padding, spaces, other alphabet, unused bits'],
      ['thousands-of-dots', 'Thousands of dots, empty parts, too long'],
      ['deep-huge-broken-json', 'Deep, huge or broken JSON'],
      [
        'encrypted-tokens-unpack-into-gigabytes',
        'Encrypted tokens that unpack into gigabytes, or ask for billions of rounds',
      ],
      ['unsigned-token-wrapped-in-encryption', 'An unsigned token wrapped in encryption'],
      [
        'jwt-tool',
        'All attacks of jwt_tool',
        'Figure: jwt_tool -M at with tokens of ES256, RS256 and PS256: 15 requests with the token as it was admitted, all 1,716 others 401, and no address in a token asked',
        outside,
      ],
      [
        'well-known-weak-secrets',
        'Well-known weak secrets',
        'Does not apply: no list of known secrets is kept, because a secret is at least as long as its hash',
      ],
      ['curves-that-do-not-fit', 'Curves and algorithms that do not fit, keys that only agree'],
      ['another-kind-token-same-issuer', 'Another kind of token of the same issuer'],
      [
        'timing-of-refusals',
        'Timing of refusals',
        'Does not apply: the reason is told openly, so its timing gives nothing away; signatures are compared by OpenSSL',
      ],
    ],
  },
  {
    title: 'Tokens: claims and clocks',
    attacks: [
      ['exp-nbf-iat-at-edges', 'exp, nbf and iat at their edges'],
      ['too-long-lifetime', 'Too long a lifetime'],
      ['iss-absent-or-other', 'iss absent, other, a list or nearly the same'],
      ['aud-in-every-form', 'aud as text, list, prefix or empty'],
      [
        'regular-expressions-hang-keep-state',
        'Regular expressions that hang or keep state',
        'Does not apply: no setting takes a regular expression',
      ],
      ['clocks-wrong-jump', 'Clocks that are wrong or jump'],
    ],
  },
  {
    title: 'Keys of the identity provider',
    attacks: [
      ['keys-away-at-start', 'Away at the start'],
      ['keys-away-later', 'Away later'],
      ['keys-answered-badly', '500, HTML, empty, huge, dripping, redirecting'],
      ['key-rotation', 'Rotation with and without overlap, another key under the same id'],
      ['flood-unknown-key-ids', 'A flood of unknown key ids'],
      ['first-requests-at-once', 'Hundreds of first requests at once'],
      ['stopped-while-fetching-keys', 'Stopped while a fetch is under way'],
      ['keys-redirected', 'Redirects and addresses elsewhere'],
      ['bad-keys-among-good', 'Bad keys among good ones'],
      ['malformed-tokens-in-every-state-of-keys', 'Malformed tokens in every state of the keys'],
    ],
  },
  {
    title: 'Revocation and Redis',
    attacks: [
      ['another-spelling-revoked-token', 'Another spelling of a revoked token'],
      ['jti-of-every-form', 'jti absent, of another type, huge or with separators; the same jti of two issuers'],
      ['composite-keys-meet', 'Composite keys that meet'],
      ['redis-killed', 'Redis is killed'],
      ['redis-half-open', 'Redis is half open'],
      ['redis-answers-badly', 'Slow, dripping, cut, garbled or nested answers'],
      ['redis-flushed', 'Flushed, or restarted empty'],
      ['rules-evicted', 'Rules evicted'],
      ['redis-full', 'Full'],
      ['replica-lags', 'A replica that lags or is cut off'],
      ['sentinel-failover', 'Failover of Sentinel'],
      ['failover-loses-confirmed-write', 'A confirmed write that a failover loses'],
      ['cluster-slots-move', 'Cluster: slots that move, nodes that go'],
      ['redis-refuses', 'Wrong password, no rights, loading, read-only'],
      ['rules-written-while-connection-gone', 'Rules written while the connection is gone'],
      ['hundred-thousand-rules', 'A hundred thousand rules, a million', 'Figure: bench/revocation-list.ts'],
      ['rule-ends-before-token', 'A rule that ends before its token'],
      ['revoked-while-refreshed', 'Revoked while it is refreshed'],
      ['values-named-like-members', 'Values named like members of every object'],
      ['gates-cut-off', 'Gates that are cut off from each other'],
      ['queues-grow-while-redis-away', 'Queues that grow while Redis is away'],
      ['redis-keys-of-another-type', 'Keys of another type'],
    ],
  },
  {
    title: 'What is remembered',
    attacks: [
      ['remembered-by-part-of-token', 'A key that is only a part of the token'],
      ['remembered-too-long', 'An answer that outlives expiry, revocation or key'],
      ['flood-different-wrong-tokens', 'A flood of different wrong tokens'],
      [
        'remembered-for-another-rule',
        'One answer used for another rule',
        'Does not apply: only the proof of the token is remembered; routes, time and revocation are asked on every request',
      ],
      ['flood-other-spellings', 'A flood of other spellings of one token'],
      ['hash-flooding', 'Hash flooding'],
    ],
  },
  {
    title: 'Refresh',
    attacks: [
      ['next-token-in-cache', 'The next token in a cache'],
      ['next-token-hidden-from-pages', 'Hidden from pages of another origin'],
      ['next-token-header-forged', 'The header forged by client or app'],
      ['provider-asked-at-once', 'A hundred requests at once; a provider that is slow or refuses'],
      ['refresh-tokens-in-redis', 'Next tokens and refresh tokens in Redis: read, forged, moved'],
      [
        'refresh-token-used-twice',
        'A refresh token used twice: by two gates, by a gate that died or stood still, without Redis',
      ],
      ['next-token-before-its-time', 'Given with a refusal, before its time, or on an upgrade'],
      ['next-token-for-revoked', 'Given to who was revoked, or ran out, while the app was thinking'],
      ['log-out-undone', 'A log-out that the next token undoes'],
      ['successor-may-more', 'A successor that may more, or lives longer'],
      ['app-breaks-off-after-head', 'The app breaks off after the head'],
      ['provider-answers-line-end', 'A provider that answers with a line end or a huge token'],
      ['cors-preflights', 'CORS preflights without a token'],
    ],
  },
  {
    title: 'HTTP framing and smuggling',
    attacks: [
      ['http11probe', 'Http11Probe', outside],
      ['payloads-of-http-garden', 'The payloads of http-garden', outside],
      ['corpus-of-gunicorn', 'The corpus of gunicorn'],
      [
        'every-known-mutation-transfer-encoding',
        'Every known mutation of Transfer-Encoding',
        'Figure: 3,536 payloads, 0 become two requests',
      ],
      ['corpus-of-llhttp', 'The corpus of llhttp, with and without the gate'],
      ['flood-headers-hides-framing', 'A flood of headers that hides the framing'],
      [
        'content-length-in-every-form',
        'Content-Length twice, as a list, with a sign, hexadecimal, with zeros, too large',
      ],
      ['transfer-encoding-beside-length', 'Transfer-Encoding beside a length, twice, unknown, empty, in HTTP/1.0'],
      ['broken-chunks', 'Broken chunks and their extensions'],
      ['bodies-on-get', 'Bodies on GET, HEAD, DELETE and OPTIONS'],
      ['pipelining-with-refused-request', 'Pipelining with a refused request in the middle'],
      ['bare-cr-lf-nul', 'Bare CR, LF, NUL, vertical tab, folded lines'],
      ['desynchronisation-by-expect', 'Desynchronisation by Expect or by early bodies'],
      ['client-closes-half', 'A client that closes its half'],
      ['random-messages', 'Random messages, held against an independent reader'],
      ['h1spec', 'h1spec', 'Figure: h1spec --strict, 33 of 33', outside],
      ['smuggling-by-answers', 'Smuggling by answers'],
      ['other-protocols', 'HTTP/2 preface, TLS hello, other protocols'],
    ],
  },
  {
    title: 'Headers that are believed',
    attacks: [
      ['connection-names-our-headers', 'Connection that names our headers'],
      ['identity-headers-from-outside', 'Identity headers from outside'],
      ['underscores-for-hyphens', 'Underscores for hyphens'],
      ['forwarding-headers', 'Forwarding headers and their kin'],
      ['hop-by-hop-headers', 'Hop-by-hop headers both ways'],
      ['headers-may-stand-once', 'Headers that may stand once'],
      ['claims-that-end-a-header-line', 'Claims that would end a header line'],
      ['headers-named-like-members', 'Names of members of every object'],
      ['rule-sees-one-of-several-lines', 'A rule that sees one of several lines'],
      ['hosts-that-are-none', 'Hosts that are none'],
      ['trace-and-loops', 'TRACE, Max-Forwards, loops'],
      ['answer-headers-stay', 'Headers of answers that have to stay as they are'],
    ],
  },
  {
    title: 'Paths and rules',
    attacks: [
      ['encodings-and-normal-forms', 'Encodings and normal forms, as Istio lists them'],
      [
        'bypasses-of-nomore403',
        'The bypasses of nomore403, against a real nginx',
        'Figure: 65,323 variants in all lists; 4,677 are admitted without a token, and 0 of them get the protected page of nginx',
      ],
      ['lists-traversals', 'The lists of traversals'],
      [
        'encoded-slashes-and-dots',
        'Encoded slashes, dots, backslashes, NUL; encoded twice; overlong UTF-8; path parameters',
      ],
      ['query-fragment-absolute-form', 'Query, fragment and absolute form'],
      ['methods-in-other-spellings', 'Methods in other spellings, and headers that override them'],
      ['rules-that-match-more', 'Rules that match more than they say'],
      ['path-judged-another-sent', 'A path that is judged and another that is sent'],
      ['own-endpoints-on-data-port', 'Our own endpoints on the data port'],
      ['drain-called-by-anybody', 'The hook of the kubelet, called by anybody on the admin port'],
    ],
  },
  {
    title: 'HTTP as a proxy',
    attacks: [
      ['bodies-of-every-size', 'Bodies of every size, both ways and both framings'],
      ['expect-and-interim-answers', 'Expect and interim answers'],
      ['trailers', 'Trailers'],
      ['http-1-0', 'HTTP/1.0 on either side'],
      ['nothing-unpacked-rewritten', 'Nothing is unpacked or rewritten'],
      ['answer-cut-short', 'An answer that is cut short'],
      ['too-many-answer-headers', 'Answers with too many or too large headers'],
      ['options-connect', 'OPTIONS *, CONNECT'],
    ],
  },
  {
    title: 'WebSocket and event streams',
    attacks: [
      ['upgrade-goes-around-decision', 'An upgrade that goes around the decision'],
      ['h2c-other-upgrades', 'h2c and other upgrades'],
      ['app-refuses-handshake', 'A handshake that the app does not agree to'],
      [
        'autobahn',
        'The messages of Autobahn',
        'Figure: Autobahn testsuite, fuzzing client, before a server of the ws package: 457 of its 517 cases, every one with the same result, close and frames through the gate as without it',
        outside,
      ],
      ['token-ends-while-socket-open', 'A token that ends or is revoked while the socket is open'],
      [
        'idle-sockets',
        'Ten thousand idle sockets; a reader that stops',
        'Figure: bench/idle-sockets.ts: 28 KiB of memory for each of 9,900, 21 KiB of it on the heap, each with a token of its own',
      ],
      ['websocket-side-dies', 'A side that dies'],
      ['events-one-by-one', 'Events one by one; a reader that leaves'],
      [
        'malformed-frames',
        'Malformed frames',
        'Does not apply: frames pass as bytes and are not read, save to find where one ends',
      ],
    ],
  },
  {
    title: 'Apps and clients that fail',
    attacks: [
      ['app-not-there', 'The app is not there'],
      ['reset-before-answer', 'Reset before the answer'],
      ['reset-in-middle-body', 'Reset in the middle of the body'],
      ['app-hangs', 'The app hangs'],
      [
        'body-one-byte-second',
        'A body of one byte a second',
        'Does not apply: an answer that has begun may be quiet, as event streams are; limits.requestTimeout bounds requests',
      ],
      ['garbage-from-app', 'Garbage, impossible statuses, broken headers'],
      ['answer-before-body-read', 'An answer before the body was read'],
      ['clients-leave-thousand', 'Clients that leave, a thousand of them'],
      ['kept-connections-close', 'Kept connections that close at the worst time'],
      ['readers-that-stall', 'Readers that stall under large transfers'],
      ['more-requests-than-app-takes', 'More requests than the app takes'],
      ['no-file-descriptors-left', 'No file descriptors left'],
      ['exceptions-in-our-own-parts', 'Exceptions in our own parts'],
    ],
  },
  {
    title: 'Exhaustion',
    attacks: [
      ['slow-headers-and-bodies', 'Slow headers and bodies'],
      ['too-many-headers', 'Too many and too large headers'],
      [
        'floods-of-connections',
        'Floods of connections',
        'Does not apply: fairness between addresses is for what stands in front; limits.maxConnections bounds their number',
      ],
      ['floods-of-junk-tokens', 'Floods of junk tokens', 'Figure: bench/overload.ts'],
      ['memory-over-hours', 'Memory over hours', 'Figure: bench/soak.ts'],
      ['floods-of-log-lines', 'Floods of log lines'],
      ['label-values-from-outside', 'Label values from outside'],
      ['small-request-costs-lot', 'A small request that costs a lot'],
    ],
  },
  {
    title: 'Life cycle',
    attacks: [
      ['sigterm-under-load', 'SIGTERM under load, and a second one'],
      ['order-in-which-pod-stops', 'The order in which a pod stops'],
      ['dependencies-come-late', 'The app, the keys or Redis come late'],
      ['killed-started-again', 'Killed and started again'],
      ['settings-and-keys-change', 'Settings and keys that change, rightly and wrongly'],
      [
        'little-memory',
        'Little memory, little processor',
        'Figure: 128 MiB and a tenth of a core carry 50 requests a second, with 112 MiB some or most get no answer (bench/small-container.ts)',
      ],
      ['read-only-without-root', 'Read-only, without root, without rights'],
      ['runtime-with-known-holes', 'A runtime with known holes'],
    ],
  },
  {
    title: 'Secrets and what is told',
    attacks: [
      ['secrets-in-output', 'Tokens and secrets in any output'],
      ['outcomes-not-counted', 'Outcomes that are not counted'],
      ['lines-log-begun-by-client', 'Lines of the log begun by a client'],
      ['answers-tell-too-much', 'Answers that tell too much'],
    ],
  },
]

/** Everything, in the order of the page. */
export const attackSections: readonly AttackSection[] = [...catalogues, ...outsideSections]
