// Which attacks and faults of the public catalogues does the product answer, and where is that held? One line for each:
// what it is, then the evidence. `file › name` is a test below test/ (a test checks that it exists); the other words are
// explained on the page.
import { outsideSections } from './attacks-outside.ts'

export type Evidence = string

/** What it is, and everything that holds it. */
export type Attack = readonly [title: string, ...evidence: Evidence[]]

export interface AttackSection {
  readonly title: string
  readonly attacks: readonly Attack[]
}

const verify = (name: string): Evidence => `token/verify › ${name}`
const read = (name: string): Evidence => `token/read › refuses ${name}`
const advisory = (file: string, name: string): Evidence => `advisories/${file} › ${name}`
const message = (name: string): Evidence => `wire/message › refuses ${name}`
const loss = (name: string): Evidence => `revocation/faults/loss › ${name}`
const network = (name: string): Evidence => `revocation/faults/network › ${name}`
const outside = 'Outside: the suite itself is run against the built product, not from this repository'

const catalogues: readonly AttackSection[] = [
  {
    title: 'Tokens: form and signature',
    attacks: [
      [
        'Wycheproof: JSON web signatures',
        'token/vectors › JSON web signatures: 40 are admitted, 359 refused, 2 are mislabelled',
        'Figure: 401 cases, 399 decided right, 2 mislabelled',
      ],
      [
        'The same as bearer tokens end to end',
        'fuzz/tokens › a token in which anything was changed is refused',
        outside,
      ],
      [
        'Wycheproof: JSON web key sets with unsafe, ambiguous or mixed keys',
        'token/vectors › JSON web keys: no unsafe, ambiguous or unfit key verifies anything',
        'token/keys/key-set › leaves out an RSA key of 1024 bits, and keeps the others',
      ],
      ['Encrypted tokens in the place of signed ones', 'token/vectors › JSON web encryption: all 139 refused unread'],
      [
        'Examples of RFC 7520, RFC 7797 and RFC 8037; detached, unencoded and unprotected forms',
        'token/vectors › ECDSA is admitted',
        'token/vectors › a detached payload is refused',
      ],
      [
        'Claims and header members of a wrong type, as Envoy reads them',
        verify('refuses an expiry that is a text as token_malformed'),
        verify('refuses a negative expiry as token_malformed'),
        read('a header whose kid is an object'),
      ],
      [
        'alg "none" in every spelling',
        verify('refuses alg nOnE as algorithm_not_allowed'),
        advisory('CVE-2015-9235', 'a token that says it is not signed, in any spelling, does not reach the app'),
      ],
      [
        'The public key as an HMAC secret, in every writing',
        advisory(
          'CVE-2016-10555',
          'a token signed by HMAC with the published key in any writing does not reach the app',
        ),
        advisory('CVE-2016-10555', 'a public key is not taken for a secret, whatever stands before it'),
      ],
      [
        'The algorithm chosen by the token',
        advisory(
          'CVE-2026-22817',
          'a token cannot choose its algorithm: only what the settings and the key allow is tried',
        ),
      ],
      [
        'A key in the token: jwk, x5c',
        advisory(
          'CVE-2018-0114',
          'a token that brings its own key, or says where to fetch one, does not reach the app, and nobody is asked',
        ),
      ],
      [
        'A key address in the token: jku, x5u',
        advisory(
          'CVE-2018-0114',
          'a token that brings its own key, or says where to fetch one, does not reach the app, and nobody is asked',
        ),
      ],
      [
        'A key id that is a path, SQL, 64 KiB, an object, a line end or __proto__',
        verify('refuses a key id that is a path as key_unknown'),
        verify('refuses a key id named __proto__ as key_unknown'),
        read('a kid of 64 KiB'),
      ],
      [
        'An empty signature, an empty or short secret',
        advisory('CVE-2020-28042', 'a token whose signature is empty, cut or absent does not reach the app'),
        advisory(
          'GHSA-gmvf-9v4p-v8jc',
          'a secret that is empty, only a line end or shorter than its hash does not verify anything',
        ),
      ],
      [
        'ECDSA signatures of zeros or of the order',
        advisory(
          'CVE-2022-21449',
          'a token with a signature of zeros, or of multiples of the order of the curve, does not reach the app',
        ),
      ],
      ['RSA padding forgeries', 'token/vectors › JSON web signatures: 40 are admitted, 359 refused, 2 are mislabelled'],
      [
        'crit, empty crit, b64',
        advisory('CVE-2026-35042', 'a token that asks to be read in a way that we do not know does not reach the app'),
      ],
      [
        'Duplicate JSON members, also with escapes',
        read('alg twice, once with an escape'),
        'fuzz/tokens › JSON is taken exactly where a strict reader of its own takes an object without a name twice',
      ],
      ['A payload or header that is no object', read('a payload that is a list'), read('a header that is a list')],
      [
        'Lax base64url: padding, spaces, other alphabet, unused bits',
        'token/read › refuses every other spelling of the same signature bytes',
        'fuzz/tokens › a token that is read has three parts that can be spelled in no other way',
      ],
      [
        'Thousands of dots, empty parts, too long',
        advisory('CVE-2025-30204', 'a token of dots is refused, and a thousand of them cost next to nothing'),
      ],
      [
        'Deep, huge or broken JSON',
        read('a payload nested ten thousand times'),
        read('a payload that is not UTF-8'),
        'fuzz/tokens › any bytes as JSON are an object or nothing, never an exception',
      ],
      [
        'Encrypted tokens that unpack into gigabytes, or ask for billions of rounds',
        advisory('CVE-2024-28180', 'an encrypted token is refused unread, whatever it would unpack into'),
      ],
      [
        'An unsigned token wrapped in encryption',
        advisory(
          'CVE-2026-29000',
          'an unsigned token wrapped in encryption with the published key does not reach the app',
        ),
      ],
      [
        'All attacks of jwt_tool',
        'fuzz/tokens › a token in which anything was changed is refused',
        'Figure: jwt_tool -M at with tokens of ES256, RS256 and PS256: 15 requests with the token as it was admitted, all 1,716 others 401, and no address in a token asked',
        outside,
      ],
      [
        'Well-known weak secrets',
        'token/keys/key-set › takes a secret as long as the hash, without its line end',
        'Does not apply: no list of known secrets is kept, because a secret is at least as long as its hash',
      ],
      [
        'Curves and algorithms that do not fit, keys that only agree',
        verify('refuses an algorithm that does not fit the key as key_unknown'),
        'token/keys/key-set › leaves out a key of another curve, and keeps the others',
        'token/keys/key-set › leaves out a key that agrees instead of signing, and keeps the others',
      ],
      [
        'Another kind of token of the same issuer',
        verify('refuses another type as type_mismatch'),
        verify('refuses another audience as audience_mismatch'),
      ],
      [
        'Timing of refusals',
        'Does not apply: the reason is told openly, so its timing gives nothing away; signatures are compared by OpenSSL',
      ],
    ],
  },
  {
    title: 'Tokens: claims and clocks',
    attacks: [
      [
        'exp, nbf and iat at their edges',
        'gate/gate › judges the time of a token on every request',
        'fuzz/tokens › claims of any type are admitted or refused, never an exception, and never admitted beyond the plain rules',
      ],
      ['Too long a lifetime', verify('refuses too long a lifetime as lifetime_too_long')],
      [
        'iss absent, other, a list or nearly the same',
        verify('refuses another issuer as issuer_unknown'),
        verify('refuses an issuer that is a list as issuer_unknown'),
      ],
      [
        'aud as text, list, prefix or empty',
        verify('refuses an audience that only begins like ours as audience_mismatch'),
        verify('refuses an empty list of audiences as audience_mismatch'),
      ],
      ['Regular expressions that hang or keep state', 'Does not apply: no setting takes a regular expression'],
      [
        'Clocks that are wrong or jump',
        'revocation/faults/failover › by a minute either way order rules and lifts alike, heal alike and know their age alike',
        'token/verify › does not outlive the expiry of the token, its tolerance included',
      ],
    ],
  },
  {
    title: 'Keys of the identity provider',
    attacks: [
      [
        'Away at the start',
        'token/keys/remote-keys › at the start is a trouble of ours, not of the token, and over without a restart',
        'http/probes › a gate whose keys cannot be fetched is not ready and names the issuer; it is once they are there',
      ],
      ['Away later', 'token/keys/remote-keys › later has its last good keys serve for a day, and then no longer'],
      [
        '500, HTML, empty, huge, dripping, redirecting',
        'token/keys/fetch-keys › hangs up on an endless answer',
        'outbound-http/fetch › that drips is given up in time, and its connection ended, though garbage was collected meanwhile',
        'token/keys/remote-keys › is refused again as soon as the provider is back and does not have it',
      ],
      [
        'Rotation with and without overlap, another key under the same id',
        'token/keys/remote-keys › with overlap leaves remembered tokens alone',
        'token/keys/remote-keys › without overlap refuses tokens of the old key, remembered ones too',
        'token/keys/remote-keys › refuses remembered tokens once the same key id has another key',
      ],
      [
        'A flood of unknown key ids',
        'token/keys/remote-keys › costs one request when ten thousand come within a second, and those with known keys do not wait',
      ],
      [
        'Hundreds of first requests at once',
        'token/keys/remote-keys › cost one request for five hundred that come before them',
      ],
      ['Stopped while a fetch is under way', 'token/keys/remote-keys › ends with stop, though a fetch is under way'],
      [
        'Redirects and addresses elsewhere',
        'token/keys/fetch-keys › refuses an http key set of an https issuer, and asks for no keys',
        'token/keys/fetch-keys › takes an https key set of another host, as providers have',
      ],
      [
        'Bad keys among good ones',
        'token/keys/key-set › leaves out a point that is not on the curve, and keeps the others',
        'token/keys/remote-keys › leave out the bad ones among them, and say why',
      ],
      [
        'Malformed tokens in every state of the keys',
        advisory(
          'CVE-2019-12995',
          'malformed tokens do no harm while there are no keys, and good ones are a trouble of ours',
        ),
      ],
    ],
  },
  {
    title: 'Revocation and Redis',
    attacks: [
      [
        'Another spelling of a revoked token',
        'end-to-end/fleet › revokes a token without jti by its signed part, however its signature is spelled',
        'token/read › refuses every other spelling of the same signature bytes',
      ],
      [
        'jti absent, of another type, huge or with separators; the same jti of two issuers',
        verify('refuses a jti with a line end as token_malformed'),
        'revocation/compact-list/list › the same jti of two issuers is told apart',
      ],
      [
        'Composite keys that meet',
        'revocation/compact-list/list › no two different rules share a key',
        advisory(
          'GHSA-v574-6498-x57v',
          'a subject that contains the separator is not taken for a subject of another issuer',
        ),
      ],
      [
        'Redis is killed',
        loss('when Redis is killed and comes back empty'),
        'end-to-end/fleet › away later: the local copy serves until maxStaleness, then it is 503, and a revoked token is never admitted',
      ],
      ['Redis is half open', network('is noticed within five seconds, told once, and over by itself')],
      [
        'Slow, dripping, cut, garbled or nested answers',
        'revocation/faults/answers › late ones are waited for, and the age counts from the question',
        'revocation/faults/answers › ones that trickle in, a few bytes a second, are given up in time',
        network('in the middle of an answer: nothing is read half, and nothing twice'),
      ],
      ['Flushed, or restarted empty', loss('when Redis is flushed')],
      [
        'Rules evicted',
        'redis/eviction-check › that Redis may evict rules, and keeps nothing on disk, are said once, and taken back',
      ],
      [
        'Full',
        'revocation/log/store › when Redis is full nothing of a batch is written, and the writer is told',
        'revocation/faults/errors › a write fails with the reason, and the rules that are there stay',
      ],
      [
        'A replica that lags or is cut off',
        'revocation/faults/failover › a replica that is cut off from its master makes the copy stale, however promptly it answers',
      ],
      [
        'Failover of Sentinel',
        'revocation/faults/sentinel › that an operator asks for, with the master alive: what the old one took last is not lost',
      ],
      [
        'A confirmed write that a failover loses',
        'revocation/faults/failover › is noticed, and what the replica never had is written back, lifts too',
        'revocation/log/store › a write that too few replicas confirm says that it is written but not replicated',
      ],
      [
        'Cluster: slots that move, nodes that go',
        'revocation/faults/cluster › with MOVED and ASK: gates follow it, rules stay in force, and writes go to the new place',
        'revocation/faults/cluster › the one with the log: stale, never clear, and back by itself; empty, it gets everything back',
      ],
      [
        'Wrong password, no rights, loading, read-only',
        'revocation/faults/errors › a wrong password, and a user without rights: not ready, nothing is clear, and it is over once it is mended',
        'revocation/faults/errors › is waited for: nothing is clear before the log was read',
        'revocation/faults/errors › as a replica: followed, but a write is no yes; as a master again it takes them',
      ],
      [
        'Rules written while the connection is gone',
        'revocation/log/reading/feed › after a restart of Redis it goes on from its last entry, and knows what was written in between',
      ],
      [
        'A hundred thousand rules, a million',
        'revocation/compact-list/scale › a hundred thousand rules are all there, and nothing else is',
        'revocation/compact-list/scale › token rules take less than 30 bytes each, however many there are, and it says so',
        'Figure: bench/revocation-list.ts',
      ],
      [
        'A rule that ends before its token',
        'revocation/compact-list/list › a rule is in force until it has ended and the clock tolerance has passed',
        'revocation/log/store › a rule is an entry of the log and a key with an end, which a shorter rule never shortens',
      ],
      [
        'Revoked while it is refreshed',
        'end-to-end/refresh › does not outlive a revocation of the session: every successor ends with it',
        'refresh/identity-provider/exchange › anything to who was revoked while the provider was asked',
      ],
      ['Values named like members of every object', 'revocation/compact-list/key › every value comes back as it was'],
      [
        'Gates that are cut off from each other',
        'end-to-end/fleet › shows in its metrics what it holds, and that it is up to date',
        network('a gate that restarts meanwhile admits nothing before it has read the log'),
      ],
      [
        'Queues that grow while Redis is away',
        network('ten seconds of writes and look-ups pile nothing up, and fail in time'),
      ],
      [
        'Keys of another type',
        'revocation/faults/errors › in the place of a rule: a look-up is no clear answer, and a write is no yes',
      ],
    ],
  },
  {
    title: 'What is remembered',
    attacks: [
      [
        'A key that is only a part of the token',
        advisory('CVE-2026-35030', 'a token that only begins like a remembered one is not taken for it'),
      ],
      [
        'An answer that outlives expiry, revocation or key',
        verify('does not outlive the expiry of the token, its tolerance included'),
        verify('ends when a key was taken away'),
        'end-to-end/life-cycle › takes over a changed key file, and refuses what the old key signed',
      ],
      [
        'A flood of different wrong tokens',
        'token/refused-cache › is bounded by count under a hundred thousand of them, and knows the last',
        'token/first-sight › never pushes out a good one',
      ],
      [
        'One answer used for another rule',
        'Does not apply: only the proof of the token is remembered; routes, time and revocation are asked on every request',
      ],
      [
        'A flood of other spellings of one token',
        verify('knows only that exact token: another signature over the same claims is verified'),
        'token/read › refuses every other spelling of the same signature bytes',
      ],
      [
        'Hash flooding',
        'revocation/compact-list/hash › differs from list to list, so that collisions cannot be prepared',
        'revocation/compact-list/scale › values that nobody could spread fill one place, which is refused in the end rather than lost',
      ],
    ],
  },
  {
    title: 'Refresh',
    attacks: [
      [
        'The next token in a cache',
        'end-to-end/refresh › turns an answer that could be cached into one that may not',
        'wire/delivery › whatever field a cache goes by',
      ],
      [
        'Hidden from pages of another origin',
        'end-to-end/refresh › is exposed to a page of another origin, where the app allows one',
        'wire/delivery › the header is added to those that the app exposes to other origins, in every spelling of that list',
      ],
      [
        'The header forged by client or app',
        'end-to-end/refresh › lets nobody else use its header: not the app, not the client',
        'wire/delivery › never reaches the client: not in the head, not in early hints, not in trailers',
      ],
      [
        'A hundred requests at once; a provider that is slow or refuses',
        'refresh/identity-provider/exchange › asks once for a hundred requests at a time, and never again for the same token',
        'refresh/identity-provider/exchange › holds no response up for longer than the time-out, and gives the token with the next one',
        'end-to-end/exchange-fleet › asks the provider once for 200 parallel requests over four gates, and all get the same token',
      ],
      [
        'Next tokens and refresh tokens in Redis: read, forged, moved',
        'end-to-end/exchange-fleet › leaves nothing in Redis that Redis could read',
        'end-to-end/exchange-fleet › judges what another gate left as if the provider had just said it',
        'end-to-end/refresh-grant › leaves no token in Redis that Redis could read, and none in the log',
        'end-to-end/refresh-grant › that was changed by somebody else gives out nothing',
        'end-to-end/refresh-grant › holds refresh tokens that another token does not open',
      ],
      [
        'A refresh token used twice: by two gates, by a gate that died or stood still, without Redis',
        'end-to-end/refresh-grant › uses a refresh token once for 200 parallel requests over four gates, and all get the same token',
        'end-to-end/refresh-grant › does not use the refresh token again of a gate that was killed while it asked, and says so once',
        'end-to-end/refresh-grant › does not end before the refresh token is safe that the provider rotated meanwhile',
        'end-to-end/refresh-grant › is needed: while it is away nobody uses a refresh token',
        'end-to-end/refresh-grant › whose connections break again and again lets no refresh token be used twice',
        'refresh/identity-provider/refresh-grant › is not used by a gate that stood still after it had taken the lock',
      ],
      [
        'Given with a refusal, before its time, or on an upgrade',
        'end-to-end/refresh › does not come before the window, nor with a refusal of our own',
        'end-to-end/refresh › comes with the 101 of an upgrade',
        'wire/delivery › about an app that does not answer',
      ],
      [
        'Given to who was revoked, or ran out, while the app was thinking',
        'end-to-end/refresh-session › for a token that was revoked, or ran out, while the app was thinking',
        'end-to-end/refresh-session › for a token that only the clock tolerance still admits',
      ],
      [
        'A log-out that the next token undoes',
        'wire/delivery › a log-out, which clears the cookie, gets no next token behind it',
      ],
      [
        'A successor that may more, or lives longer',
        'refresh/successor-properties › adds no right: every claim but the times, the id and the session is as it was, and none is new',
        'end-to-end/refresh-session › has an end even where the issuer writes auth_time in milliseconds',
        'refresh/successor › in a chain ends exactly with the session, the last one shorter',
      ],
      [
        'The app breaks off after the head',
        'wire/upstream-faults › an application that resets in the middle of a body with its length: the client sees that it is not whole',
        'wire/delivery › an app that resets after its head: the token was whole, the body is seen not to be',
      ],
      [
        'A provider that answers with a line end or a huge token',
        'refresh/own-key › gives none that it would refuse itself for its size',
        'refresh/identity-provider/exchange › a token with a line end',
      ],
      [
        'CORS preflights without a token',
        'end-to-end/cors › a preflight from a known origin reaches the app without a token and without an identity',
        'end-to-end/cors › needs a token like any other request: OPTIONS without Access-Control-Request-Method',
      ],
    ],
  },
  {
    title: 'HTTP framing and smuggling',
    attacks: [
      ['Http11Probe', message('Transfer-Encoding beside Content-Length'), outside],
      ['The payloads of http-garden', message('Transfer-Encoding ",chunked"'), outside],
      [
        'The corpus of gunicorn',
        'wire/smuggling › what another server refuses is refused, or forwarded as one well-framed request',
      ],
      [
        'Every known mutation of Transfer-Encoding',
        'wire/smuggling › no Transfer-Encoding mutation of the public corpus becomes two requests',
        'Figure: 3,536 payloads, 0 become two requests',
      ],
      [
        'The corpus of llhttp, with and without the gate',
        'wire/parser-corpus › what the application gets through the gate, it would have got without it',
      ],
      [
        'A flood of headers that hides the framing',
        advisory('CVE-2026-58044', 'a body behind a flood of headers is not read as a request'),
        message('1,300 tiny headers that hide a Content-Length (CVE-2026-58044)'),
      ],
      [
        'Content-Length twice, as a list, with a sign, hexadecimal, with zeros, too large',
        message('Content-Length twice'),
        message('Content-Length with leading zeros'),
        message('Content-Length of 2^64'),
      ],
      [
        'Transfer-Encoding beside a length, twice, unknown, empty, in HTTP/1.0',
        message('two Transfer-Encodings'),
        message('an empty Transfer-Encoding'),
        message('Transfer-Encoding in HTTP/1.0'),
      ],
      [
        'Broken chunks and their extensions',
        'wire/smuggling › a chunk extension with a bare CR is refused, and the application sees no end of that body',
        'wire/smuggling › a chunk size that overflows is refused, and the application sees no end of that body',
      ],
      [
        'Bodies on GET, HEAD, DELETE and OPTIONS',
        advisory('node-http-proxy-1721', 'a request in the body of a chunked DELETE or OPTIONS is not a request'),
        'wire/smuggling › a chunked GET over a kept-alive connection is one request, and its body stays its body',
      ],
      [
        'Pipelining with a refused request in the middle',
        'wire/smuggling › pipelined requests are answered in order, each on its own decision',
        'wire/smuggling › what follows a refused message on the same connection is never served',
      ],
      [
        'Bare CR, LF, NUL, vertical tab, folded lines',
        message('a bare CR in a value'),
        message('a NUL in a value'),
        message('a folded value'),
      ],
      [
        'Desynchronisation by Expect or by early bodies',
        'wire/path-lists › is not asked for its secret by an announced body that is a request',
        message('an unknown expectation'),
      ],
      [
        'A client that closes its half',
        'wire/parser-corpus › what the application gets through the gate, it would have got without it',
        'wire/half-close › an answer that goes on reaches it whole',
        'wire/half-close › where no byte comes for it, the connection and the request to the application are ended',
      ],
      [
        'Random messages, held against an independent reader',
        'fuzz/messages › what the message gate takes is one request for a strict reader, with one Host and one framing',
        'fuzz/messages › of raw bytes the application gets well-framed requests and nothing besides',
      ],
      [
        'h1spec',
        message('no Host'),
        'wire/half-close › an answer that comes a little later reaches it, and then the connection closes',
        'Figure: h1spec --strict, 33 of 33',
        outside,
      ],
      [
        'Smuggling by answers',
        'wire/response-smuggling › of two answers in one the second part reaches nobody',
        'wire/response-smuggling › a flood of interim answers ends, and the next client is served',
        'wire/upstream-faults › an application that answers with both framings: 502, and the next request is served',
      ],
      ['HTTP/2 preface, TLS hello, other protocols', message('the HTTP/2 preface'), message('a TLS hello')],
    ],
  },
  {
    title: 'Headers that are believed',
    attacks: [
      [
        'Connection that names our headers',
        advisory(
          'CVE-2024-45410',
          'a client cannot have identity or forwarding headers removed by naming them in Connection',
        ),
        message('Connection that names an identity header'),
      ],
      [
        'Identity headers from outside',
        'wire/headers › an identity header from outside never arrives, in no spelling, on a public path',
        'wire/headers › an identity header from outside never arrives where the identity is proven; ours comes once',
        'wire/upgrade › an upgrade carries the same headers as a request: ours, and none that only we may send',
      ],
      [
        'Underscores for hyphens',
        advisory('CVE-2025-64484', 'a client cannot smuggle an identity past us by underscores in the name'),
      ],
      [
        'Forwarding headers and their kin',
        advisory('CVE-2026-3635', 'a client cannot pass for a proxy, for another address or for a probe'),
        'wire/headers › forwarding headers of a stranger are replaced by what we know',
      ],
      [
        'Hop-by-hop headers both ways',
        'wire/headers › hop-by-hop headers and those that Connection names do not reach the application',
        'wire/headers › hop-by-hop headers and those that its Connection names do not reach the client; the rest does, byte for byte',
      ],
      [
        'Headers that may stand once',
        message('a Content-Type twice'),
        message('a Cookie twice'),
        'wire/message › two Authorization headers are refused as two tokens',
      ],
      [
        'Claims that would end a header line',
        'wire/headers › a claim cannot start a header line',
        'http/headers/identity › any text comes back by percent-decoding, and every value is visible ASCII',
      ],
      [
        'Names of members of every object',
        advisory('CVE-2026-21710', 'headers named like members of every object do no harm'),
      ],
      [
        'A rule that sees one of several lines',
        advisory(
          'CVE-2026-31838',
          'two lines of a credential, or two credentials in one line, are not a choice of ours',
        ),
      ],
      [
        'Hosts that are none',
        message('two Hosts, even the same'),
        message('a Host with a user'),
        message('a Host with an IPv6 zone'),
      ],
      ['TRACE, Max-Forwards, loops', message('TRACE'), message('OPTIONS with Max-Forwards 0')],
      [
        'Headers of answers that have to stay as they are',
        'wire/upstream-faults › 200 Set-Cookie lines arrive, each by itself',
        'wire/headers › 8-bit bytes in a request header arrive as they were',
      ],
    ],
  },
  {
    title: 'Paths and rules',
    attacks: [
      [
        'Encodings and normal forms, as Istio lists them',
        'fuzz/paths › a path that is judged means the same to every reader',
        'fuzz/paths › a path that is admitted as public is public for every reader',
      ],
      [
        'The bypasses of nomore403, against a real nginx',
        'wire/path-lists › never gives its secret through the gate, whatever variant is admitted',
        'wire/path-lists › no variant that is public is the protected place for any reader',
        'Figure: 65,323 variants in all lists; 4,677 are admitted without a token, and 0 of them get the protected page of nginx',
      ],
      ['The lists of traversals', 'wire/path-lists › no variant that is public is the protected place for any reader'],
      [
        'Encoded slashes, dots, backslashes, NUL; encoded twice; overlong UTF-8; path parameters',
        advisory('CVE-2021-29492', 'an encoded or repeated slash does not lead from a public place to a protected one'),
        'gate/path › does not judge "/%c0%af"',
        'gate/path › does not judge "/public%25%32%66admin"',
      ],
      [
        'Query, fragment and absolute form',
        advisory(
          'GHSA-7rh7-c77v-6434',
          'a public path in the query, the fragment or the authority opens no protected one',
        ),
      ],
      [
        'Methods in other spellings, and headers that override them',
        'fuzz/routes › what is asked is what a plain model asks',
        advisory('CVE-2026-3635', 'a client cannot pass for a proxy, for another address or for a probe'),
      ],
      [
        'Rules that match more than they say',
        advisory('CVE-2026-55602', 'a path that only contains a public one is not public'),
      ],
      ['A path that is judged and another that is sent', 'wire/message › forwards the target /a%2fb byte for byte'],
      [
        'Our own endpoints on the data port',
        'http/probes › the admin port proxies nothing, and the proxy port answers no probe',
      ],
      [
        'The hook of the kubelet, called by anybody on the admin port',
        'http/probes › /drain closes connections after their next answer, and never changes what the probes say',
        'wire/leaving › when it has ended, connections are kept again',
      ],
    ],
  },
  {
    title: 'HTTP as a proxy',
    attacks: [
      [
        'Bodies of every size, both ways and both framings',
        'wire/transfer › 20971520 bytes go up in chunks',
        'wire/transfer › HEAD, 204 and 304 have no body, and the connection goes on',
      ],
      [
        'Expect and interim answers',
        'wire/transfer › Expect: 100-continue is answered once the application wants the body, and not passed on',
        'wire/response-smuggling › interim answers before the final one are dropped, and there is one answer',
      ],
      [
        'Trailers',
        'wire/smuggling › request trailers are dropped',
        'wire/transfer › response trailers and early hints are dropped',
      ],
      [
        'HTTP/1.0 on either side',
        'wire/transfer › an HTTP/1.0 client gets no chunks, and its connection closes',
        'wire/upstream-faults › an application with HTTP/1.0 and a body that ends with the connection is passed on',
      ],
      [
        'Nothing is unpacked or rewritten',
        'wire/headers › hop-by-hop headers and those that its Connection names do not reach the client; the rest does, byte for byte',
      ],
      [
        'An answer that is cut short',
        'wire/upstream-faults › an application that closes in the middle of a body in chunks: the client sees that it is not whole',
      ],
      [
        'Answers with too many or too large headers',
        advisory(
          'nodejs-node-65010',
          'an answer with more headers than can be told is a 502, not an answer without the last ones',
        ),
        'wire/upstream-faults › an application that answers with headers of 70 KiB: 502, and the next request is served',
      ],
      ['OPTIONS *, CONNECT', message('OPTIONS *'), message('CONNECT')],
    ],
  },
  {
    title: 'WebSocket and event streams',
    attacks: [
      [
        'An upgrade that goes around the decision',
        advisory('CVE-2026-44578', 'an upgrade without a token does not reach the app'),
        'wire/upgrade › an upgrade without permission is refused like a request, and the application hears nothing',
        'wire/upgrade-refused › an upgrade that is refused with token_revoked gets 401, a problem document and no tunnel',
        'wire/upgrade-refused › an upgrade that is refused with path_ambiguous gets 400, a problem document and no tunnel',
      ],
      [
        'h2c and other upgrades',
        'wire/upgrade › h2c is served as a plain request',
        'wire/upgrade › a handshake with version 8 is refused',
      ],
      [
        'A handshake that the app does not agree to',
        advisory('CVE-2025-64763', 'what follows an upgrade that the app does not agree to is never its next request'),
        'wire/upgrade › what the client sends before the application has agreed is held back',
      ],
      [
        'The messages of Autobahn',
        'wire/upgrade › messages of every size go both ways and come back as they were',
        'wire/websocket › a message in fragments, with a ping between them, is one message from the client to the application',
        'wire/websocket › compression is agreed between the two ends, and what they compress goes through compressed',
        'wire/websocket-bytes › frames of 0 bytes to 16 MiB go both ways at once as they are, seed 1',
        'Figure: Autobahn testsuite, fuzzing client, before a server of the ws package: 457 of its 517 cases, every one with the same result, close and frames through the gate as without it',
        outside,
      ],
      [
        'A token that ends or is revoked while the socket is open',
        'wire/upgrade › a WebSocket whose token is revoked is closed with 1008, on both sides',
        'wire/upgrade › a WebSocket ends within a second of its token',
      ],
      [
        'Ten thousand idle sockets; a reader that stops',
        'wire/websocket-bytes › where the client does not read, the other side is held up, not our memory; later it goes on',
        'Figure: bench/idle-sockets.ts: 28 KiB of memory for each of 9,900, 21 KiB of it on the heap, each with a token of its own',
      ],
      [
        'A side that dies',
        'wire/upgrade › when the client resets, the other side is closed',
        'wire/websocket › an end without a close frame is seen at once from the application to the client',
      ],
      [
        'Events one by one; a reader that leaves',
        'wire/transfer › events come one by one',
        'wire/both-ways › a conversation: each event of the body is answered before the next one is sent',
        'wire/transfer › a client that leaves during the download ends it at the application',
      ],
      [
        'Malformed frames',
        'wire/upgrade › in the middle of a frame no close frame is put: the connection just ends',
        'Does not apply: frames pass as bytes and are not read, save to find where one ends',
      ],
    ],
  },
  {
    title: 'Apps and clients that fail',
    attacks: [
      ['The app is not there', 'wire/upstream-faults › an application that is not there: 502 upstream_unreachable'],
      [
        'Reset before the answer',
        'wire/upstream-faults › an application that resets before it answers: 502, and a fresh connection is not tried twice',
        'wire/upstream-faults › a safe request that met a connection closed while idle is sent once more',
      ],
      [
        'Reset in the middle of the body',
        'wire/upstream-faults › an application that resets in the middle of a body in chunks: the client sees that it is not whole',
      ],
      [
        'The app hangs',
        'wire/upstream-faults › an application that does not answer: 504 upstream_timeout, and its connection is closed',
      ],
      [
        'A body of one byte a second',
        'Does not apply: an answer that has begun may be quiet, as event streams are; limits.requestTimeout bounds requests',
      ],
      [
        'Garbage, impossible statuses, broken headers',
        'wire/upstream-faults › an application that answers with status 099: 502, and the next request is served',
        'wire/upstream-faults › an application that answers with garbage: 502, and the next request is served',
      ],
      [
        'An answer before the body was read',
        'wire/transfer › an answer that comes before the body was read reaches the client, and the upload stops',
      ],
      [
        'Clients that leave, a thousand of them',
        'wire/endurance › a thousand clients that leave in the middle leave no socket, timer or request behind',
        'wire/endurance › after a thousand clients that left in the middle the heap of the gate is what it was, and so are its sockets',
        'wire/transfer › a client that leaves while the application thinks ends the request there',
        'wire/transfer › a client that leaves during an upload in chunks ends it at the application, which sees no end of it',
      ],
      [
        'Kept connections that close at the worst time',
        'wire/upstream-faults › a safe request that met a connection closed while idle is sent once more',
        'wire/upstream-faults › an unsafe request is never sent a second time',
      ],
      [
        'Readers that stall under large transfers',
        'wire/large-transfers › 1 GiB down, to a reader that stalls, then is slow, then is not, takes less than 64 MiB',
        'wire/waiting › is let go after a while, and the application is too',
        'wire/large-transfers › 1 GiB up, to an application that stalls, then is slow, then is not, takes less than 64 MiB',
      ],
      [
        'More requests than the app takes',
        'wire/upstream-faults › more requests than the application may hold and a few more: 503 overloaded at once',
      ],
      [
        'No file descriptors left',
        'wire/endurance › a proxy whose file descriptors are all taken lives on, and serves again once some are free',
      ],
      [
        'Exceptions in our own parts',
        'wire/upstream-faults › a decision that throws or rejects is answered 500, is told to the log and forwards nothing',
        'wire/upstream-faults › an observer that throws harms nobody',
      ],
    ],
  },
  {
    title: 'Exhaustion',
    attacks: [
      [
        'Slow headers and bodies',
        'wire/upstream-faults › a request that does not arrive in time is answered 408',
        'wire/upstream-faults › a body that never ends after its request was answered gets no second answer',
      ],
      ['Too many and too large headers', message('101 headers'), message('a header of 20 KiB')],
      [
        'Floods of connections',
        'Does not apply: fairness between addresses is for what stands in front; limits.maxConnections bounds their number',
      ],
      [
        'Floods of junk tokens',
        'end-to-end/overload › junk is shed with 503 and Retry-After, while known tokens and public paths are served',
        'token/first-sight › leaves remembered tokens and cheap refusals as they are',
        'Figure: bench/overload.ts',
      ],
      [
        'Memory over hours',
        'wire/endurance › a thousand clients that leave in the middle leave no socket, timer or request behind',
        'Figure: bench/soak.ts',
      ],
      [
        'Floods of log lines',
        'telemetry/logs/access-log › gets as many lines as are allowed in a second, and the others are told by reason and counted',
        'telemetry/logs/log-output › goes on while nobody reads its log, in bounded memory; later it tells what was left out, and of every rule',
        'telemetry/logs/log-output › ends when it is told to, though nobody reads its log',
        'telemetry/logs/log-output › goes on where its log is a file and the disk is full',
      ],
      [
        'Label values from outside',
        'telemetry/metrics/metrics › unknown methods and many status codes do not make it grow without end',
      ],
      [
        'A small request that costs a lot',
        'token/signature-budget › grows with the modulus, the curve and the number of keys to try',
        advisory('CVE-2025-30204', 'a token of dots is refused, and a thousand of them cost next to nothing'),
      ],
    ],
  },
  {
    title: 'Life cycle',
    attacks: [
      [
        'SIGTERM under load, and a second one',
        'end-to-end/life-cycle › on SIGTERM turns not ready, takes no new connection, finishes what is open, and exits with 0',
        'end-to-end/life-cycle › ends at once at the second signal',
        'end-to-end/under-load › SIGTERM lets every one of them finish',
      ],
      [
        'The order in which a pod stops',
        'packaging/manifests › is a native sidecar, which starts before the app and stops after it',
        'packaging/manifests › gives the pod longer to stop than draining may take',
      ],
      [
        'The app, the keys or Redis come late',
        'http/probes › a gate whose app is away is alive and ready: the probes are about the gate',
        'http/probes › a gate whose Redis is away is alive and not ready, and says what is missing',
      ],
      [
        'Killed and started again',
        'end-to-end/under-load › it never admits what was revoked before or meanwhile, and serves everybody else',
      ],
      [
        'Settings and keys that change, rightly and wrongly',
        'end-to-end/life-cycle › keeps the old settings in force where the new ones are wrong, and says what is wrong',
        'end-to-end/life-cycle › notices the way in which the kubelet swaps a ConfigMap',
        'end-to-end/under-load › settings, keys and the certificate change, and no request fails',
      ],
      [
        'Little memory, little processor',
        'packaging/manifests › has no service account token, no writable volume and bounded memory',
        'Figure: 128 MiB and a tenth of a core carry 50 requests a second, with 112 MiB some or most get no answer (bench/small-container.ts)',
      ],
      [
        'Read-only, without root, without rights',
        'packaging/manifests › runs as the user that the pod spec names, without a shell',
      ],
      [
        'A runtime with known holes',
        'runtime/node-version › this very Node may run it, and package.json asks for the same versions',
        'packaging/manifests › pins a Node without the header flood of CVE-2026-58044',
      ],
    ],
  },
  {
    title: 'Secrets and what is told',
    attacks: [
      [
        'Tokens and secrets in any output',
        'telemetry/logs/access-log › no line holds a token, a part of one or a query, wherever they were',
        'gate/gate › hands on the text of an admitted token, and no log line can take it along',
        'token/read › never repeats the token in its detail',
      ],
      [
        'Outcomes that are not counted',
        'telemetry/metrics/metrics › requests and decisions agree, whatever the outcomes are',
        'end-to-end/reasons › is counted under its name',
      ],
      [
        'Lines of the log begun by a client',
        advisory('CVE-2024-45808', 'a client cannot begin a line of the log, nor put its own fields into one'),
        'telemetry/logs/access-log › by raw bytes on the wire, every line of the log is JSON of its own',
      ],
      [
        'Answers that tell too much',
        'http/refuse › token_revoked looks the same on a response and on a socket, and tells no detail',
      ],
    ],
  },
]

/** Everything, in the order of the page. */
export const attackSections: readonly AttackSection[] = [...catalogues, ...outsideSections]
