// THE table of what an upgrade changes for settings that were written for an older version: each row finds the places where a
// file says nothing of its own, and says what keeps the old behaviour there. What no longer loads is no row: `check` refuses it.
import type { UpgradeChange } from './change.ts'
import {
  ALLOWED_HEADERS,
  allowsNoOddName,
  asksOutside,
  eachIssuerWithout,
  hasAppWithTls,
  mayHaveProxy,
  namesRedisUser,
  readsCookie,
  refreshes,
  servesTls,
  signsSuccessors,
  trustsProxies,
  unless,
  usesRefreshTokens,
  weakAdminToken,
} from './conditions.ts'
import { routeChanges } from './routes.ts'

/** Version 0.1.0 as of commit 7d4b85d against this one. */
export const upgradeChanges: readonly UpgradeChange[] = [
  {
    id: 'cookie-source',
    changed: 'The cookie "session" is no longer a source of tokens: they come in the header Authorization alone',
    find: unless(['tokens', 'sources']),
    keep: '[{ header: authorization }, { cookie: session }]',
  },
  {
    id: 'cookie-websocket-origin',
    changed: 'A WebSocket with a token from a cookie gets 403 if its page has another host than the request',
    find: unless(['cors', 'origins'], readsCookie),
    keep: '["https://app.example.com"]',
    note: 'list the origins of such pages; [] if there are none',
  },
  {
    id: 'cookie-renewal',
    changed: 'The next token of a cookie is in Set-Cookie alone, and no longer in the response header',
    find: unless(['refresh', 'cookie', 'header'], (written) => refreshes(written) && readsCookie(written)),
    keep: 'true',
    note: 'every script of the page can then read the token',
  },
  {
    id: 'token-types',
    changed:
      'A token needs the header "typ" JWT, at+jwt or application/at+jwt, or none. Security events, and refresh, offline and log-out tokens of Keycloak, are refused with any setting',
    find: eachIssuerWithout('tokenTypes'),
    keep: '[JWT, at+jwt, example+jwt]',
    note: 'name each "typ" of its access tokens, which all need one then; leave it out if they have no other',
  },
  {
    id: 'id-tokens',
    changed: 'ID tokens of Keycloak (claim "typ": ID) and Cognito (claim "token_use": id) are refused',
    find: eachIssuerWithout('allowIdTokens'),
    keep: 'true',
  },
  {
    id: 'bound-tokens',
    changed: 'A token that is bound to a key (claim "cnf") is refused, as its proof is not checked yet',
    find: eachIssuerWithout('confirmation'),
    keep: 'ignored',
  },
  {
    id: 'header-names',
    changed: 'Request headers with a name outside letters, digits and "-" no longer reach the app',
    find: unless(['forward', 'headerNames'], allowsNoOddName),
    keep: 'token',
    note: 'or name single ones: forward.allowHeaders: [x_legacy]',
  },
  {
    id: 'dropped-headers',
    changed:
      'Request headers that only a proxy should set, such as Client-IP, X-SSL-Client-Verify and Remote-User, no longer reach the app (docs/security.md#header-names lists them)',
    find: unless(ALLOWED_HEADERS),
    keep: '[client-ip, remote-user]',
    note: 'name those that the app reads, or [] for none; from "forward.trustedProxies" the address and certificate of the client pass',
  },
  {
    id: 'forwarded-values',
    changed:
      'From a trusted proxy, X-Forwarded-Proto, -Host and -Port reach the app with their first value only, and Forwarded agrees with them',
    find: trustsProxies,
    note: 'let the first proxy of a chain set what the app needs',
  },
  ...routeChanges,
  {
    id: 'listen-address',
    changed: 'Without "listen", the gate is reached by IPv6 as well: [::]:8080 in place of 0.0.0.0:8080',
    find: unless(['listen']),
    keep: '0.0.0.0:8080',
  },
  {
    id: 'admin-listen-address',
    changed: 'Without "admin.listen", the admin port is reached by IPv6 as well: [::]:9090 in place of 0.0.0.0:9090',
    find: unless(['admin', 'listen']),
    keep: '0.0.0.0:9090',
  },
  {
    id: 'admin-token',
    changed: 'An admin token of fewer than 32 characters opens nothing: the routes that need it answer 404',
    find: weakAdminToken,
    note: 'count it with "wc -c", and make a longer one with "openssl rand -hex 32"',
  },
  {
    id: 'tls-suites',
    changed: 'TLS on "listen" takes AEAD suites with forward secrecy alone',
    find: servesTls,
    note: 'clients need TLS 1.3, or TLS 1.2 with ECDHE and AES-GCM or ChaCha20, as all current ones have',
  },
  {
    id: 'redis-rights',
    changed: 'The user of Redis needs the right +hgetall for what is new; what was before goes on without it',
    find: namesRedisUser,
    note: 'set the user anew before the upgrade, as in docs/revocation.md#the-user-of-the-gates',
  },
  {
    id: 'session-start',
    changed:
      'The next token has no "auth_time" that the identity provider did not write; the start of the session is in "session_start"',
    find: signsSuccessors,
    note: 'an app that reads the start of the session from "auth_time" reads "session_start"',
  },
  {
    id: 'exchange-in-doubt',
    changed:
      'A refresh token that was sent to the identity provider and never answered is not used again: the session gets no next token',
    find: unless(['refresh', 'exchange', 'whenInDoubt'], usesRefreshTokens),
    keep: 'retry',
    note: 'only for a provider that allows a second use for a while',
  },
  {
    id: 'outbound-proxy',
    changed:
      'HTTPS_PROXY and HTTP_PROXY are used for key sets, discovery and token endpoints, except near ones and those in NO_PROXY',
    find: unless(['outbound', 'proxy'], (written) => asksOutside(written) && mayHaveProxy(written)),
    keep: 'none',
  },
  {
    id: 'app-certificate',
    changed:
      'The certificate of an app with https is verified for the host of "upstream", and no longer for the Host of each request',
    find: unless(['upstreamTls', 'serverName'], hasAppWithTls),
    keep: 'app.example.com',
    note: 'give a name that is in the certificate',
  },
]
