// The request headers that an app may trust, and that a client must therefore not set: two lists, and the folding by which a
// name is compared with them. The proxy, the checks of the settings and the documentation read them here. It must not know a
// setting.

/** Names of one purpose. A name that ends in `*` stands for all names that begin so. */
export interface HeaderNameGroup {
  readonly title: string
  readonly names: readonly string[]
}

const listed = (text: string): readonly string[] => text.trim().split(/\s+/)

/** They speak about one connection only (RFC 9110 section 7.6.1). */
export const hopByHopNames = listed(`
  connection keep-alive proxy-connection proxy-authenticate proxy-authorization te trailer transfer-encoding upgrade
  http2-settings`)

/** The gate writes these itself, or answers them. */
export const ownNames = listed('host content-length expect max-forwards')

/** They cross as they came; only what folds to one of them does not. */
export const crossingNames = listed(`
  authorization cookie content-type content-encoding content-range content-language via range if-range if-match if-none-match
  if-modified-since if-unmodified-since origin referer access-control-request-method access-control-request-headers
  sec-fetch-* sec-websocket-*`)

/** How the request came to the gate. */
export const forwardingNames = listed('forwarded x-forwarded* x-real-ip')

/** What an app may take for the path, the method or the host of the request. A rule judged another one. */
export const rewritingNames = listed(`
  x-original-url x-rewrite-url x-original-uri x-original-path x-original-method x-original-host
  x-http-method-override x-http-method x-method-override`)

/** Where the client is and how it is connected. A proxy in `forward.trustedProxies` may say it. */
const connectionNames = listed(`
  client-ip true-client-ip x-client-ip x-cluster-client-ip cluster-client-ip x-client-host x-client-port x-true-ip real-ip
  remote-addr x-remote-ip x-remote-addr x-original-remote-addr x-originating-ip x-original-forwarded-for
  x-originally-forwarded-for x-proxyuser-ip x-custom-ip-authorization x-envoy-external-address x-appengine-*
  cf-connecting-ip cf-connecting-ipv6 cf-pseudo-ipv4 cf-visitor fastly-client-ip fly-client-ip x-azure-clientip
  x-azure-socketip x-vercel-forwarded-for x-nf-client-connection-ip do-connecting-ip
  x-scheme x-url-scheme x-client-scheme front-end-https x-arr-ssl`)

/** The client's certificate (RFC 9440, and what came before it). A proxy in `forward.trustedProxies` may say it. */
const certificateNames = listed(`
  client-cert client-cert-* client-certificate ssl-* x-ssl x-ssl-* tls-client-* x-tls-client-* x-client-cert*
  x-client-verify x-client-dn x-client-subject* x-verified-client* x-arr-clientcert x-amzn-mtls-* x-mtls-* cf-client-cert-*`)

/** Who the caller is, in the words of other gateways. */
const callerNames = listed(`
  remote-user remote-email remote-name remote-groups x-remote-user x-remote-group x-remote-groups
  x-remote-email x-remote-name x-remote-extra-* auth-user logon-user x-logon-user x-authenticated-*
  x-auth-request-* x-webauth-* x-authentik-* x-vouch-* x-pomerium-claim-* x-goog-authenticated-* x-amzn-oidc-identity
  x-ms-client-principal* cf-access-authenticated-* tailscale-user-* x-consumer-id x-consumer-username x-consumer-custom-id
  x-consumer-groups x-anonymous-consumer x-credential-identifier x-credential-username x-userinfo x-endpoint-api-userinfo
  x-apigateway-api-userinfo sm-user iv-user iv-groups iv-creds oam-remote-user`)

/** The path, the host or the file to be sent, in the words of single proxies and frameworks. */
const internalNames = listed(`
  proxy proxy-host proxy-url x-proxy-host x-proxy-url x-host x-host-override x-http-host-override x-real-host x-backend-host
  request-uri x-request-uri x-override-url x-http-path-override x-http-destinationurl script-name x-script-name path-info
  x-waws-unencoded-url x-envoy-original-* x-envoy-internal x-envoy-decorator-operation x-envoy-peer-metadata*
  x-envoy-downstream-service-* x-matched-path x-invoke-* x-now-route-matches x-middleware-subrequest* x-middleware-rewrite
  x-middleware-redirect x-middleware-next x-middleware-invoke x-middleware-override-headers x-middleware-request-*
  x-middleware-set-cookie x-accel-* x-sendfile x-sendfile-type x-lighttpd-send-file x-litespeed-location x-reproxy-url`)

/** What folds to one of these never crosses, from anybody; the identity, refresh and source headers of the settings join them. */
export const protectedGroups: readonly HeaderNameGroup[] = [
  { title: 'Headers of one connection', names: hopByHopNames },
  { title: 'Written or answered by the gate', names: ownNames },
  { title: 'Forwarded as sent, in this spelling only', names: crossingNames },
  { title: 'How the request came', names: forwardingNames },
  { title: 'Another path, method or host', names: rewritingNames },
]

/** These pass from a peer in `forward.trustedProxies`, in their own spelling. */
export const attestedGroups: readonly HeaderNameGroup[] = [
  { title: 'Client address and connection', names: connectionNames },
  { title: 'Client certificate', names: certificateNames },
]

/** Left out by default, from anybody. */
export const untrustedGroups: readonly HeaderNameGroup[] = [
  { title: 'The caller, as other gateways name it', names: callerNames },
  { title: 'Internal to proxies and frameworks', names: internalNames },
]

const STRICT = /^[A-Za-z0-9-]+$/
const FOLDED = /[^a-z0-9]/g

/** Whether no server folds this name into another one: letters, digits and `-`. */
export function isStrictName(name: string): boolean {
  return STRICT.test(name)
}

/**
 * A name as the most careless app reads it: CGI, FastCGI, PHP and WSGI turn letters to upper case and other characters to one
 * (RFC 3875 section 4.1.18), so that `X.Auth~Subject` and `X-Auth-Subject` are one variable there. Here that one is `-`.
 */
export function foldName(name: string): string {
  const lower = name.toLowerCase()
  return isStrictName(lower) ? lower : lower.replace(FOLDED, '-')
}

/** Makes the test whether a folded name is one of these, or begins as one with `*` does. */
export function foldedNameTest(names: Iterable<string>): (folded: string) => boolean {
  const whole = new Set<string>()
  const beginnings: string[] = []
  for (const name of names) {
    if (name.endsWith('*')) beginnings.push(foldName(name.slice(0, -1)))
    else whole.add(foldName(name))
  }
  // One expression, as strangers send names that were never seen before
  const beginning = beginnings.length === 0 ? undefined : new RegExp(`^(?:${beginnings.join('|')})`)
  return (folded) => whole.has(folded) || beginning?.test(folded) === true
}

/** All names of some groups. */
export function namesOf(groups: readonly HeaderNameGroup[]): readonly string[] {
  return groups.flatMap(({ names }) => names)
}
