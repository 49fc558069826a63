// The settings of each gate, as its own manual would write them: one process, connections to the app kept, no access log.
import type { Algorithm, Stage } from './stage.ts'

/** Ours: what is not named stays as it ships. */
export function sidegateFile({ appPort, folder, redisUrl }: Stage): string {
  return `listen: 127.0.0.1:0
upstream: http://127.0.0.1:${appPort}
admin: { listen: 127.0.0.1:0 }
log: { format: json }
issuers:
  - issuer: https://id.example.com
    audiences: [orders]
    keys: { jwksFile: ${folder}/jwks.json }
revocation: { redis: ${redisUrl} }
`
}

/** The checks that its guide to JWT shows: algorithm, issuer, audience, expiry, signature. */
export function haproxyFile(port: number, stage: Stage, algorithm: Algorithm): string {
  return `global
  nbthread 1
  maxconn 4096
defaults
  mode http
  timeout connect 5s
  timeout client 75s
  timeout server 60s
frontend gate
  bind 127.0.0.1:${port}
  http-request set-var(txn.bearer) http_auth_bearer
  http-request set-var(txn.alg) var(txn.bearer),jwt_header_query('$.alg')
  http-request set-var(txn.iss) var(txn.bearer),jwt_payload_query('$.iss')
  http-request set-var(txn.aud) var(txn.bearer),jwt_payload_query('$.aud')
  http-request set-var(txn.exp) var(txn.bearer),jwt_payload_query('$.exp','int')
  http-request set-var(txn.now) date()
  http-request deny deny_status 401 unless { var(txn.alg) -m str ${algorithm} }
  http-request deny deny_status 401 unless { var(txn.iss) -m str https://id.example.com }
  http-request deny deny_status 401 unless { var(txn.aud) -m str orders }
  http-request deny deny_status 401 if { var(txn.exp),sub(txn.now) -m int le 0 }
  http-request deny deny_status 401 unless { var(txn.bearer),jwt_verify(txn.alg,"${stage.keyFile(algorithm)}") 1 }
  default_backend app
backend app
  http-reuse always
  server app 127.0.0.1:${stage.appPort}
`
}

/** A part of the http block: a proxy and nothing else. A long answer stays in memory. */
export function nginxGate(port: number, appPort: number): string {
  return `upstream app { server 127.0.0.1:${appPort}; keepalive 256; keepalive_requests 100000000; }
  server {
    listen 127.0.0.1:${port} backlog=1024;
    location / {
      proxy_pass http://app;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_max_temp_file_size 0;
    }
  }`
}

/** Bearer tokens only: what belongs to its sign-in has to be there and is not used. */
export function oauth2ProxyFlags(stage: Stage, port: number): readonly string[] {
  const app = `http://127.0.0.1:${stage.appPort}`
  return [
    `--http-address=127.0.0.1:${port}`,
    `--upstream=${app}/`,
    '--provider=oidc',
    '--oidc-issuer-url=https://id.example.com',
    '--skip-oidc-discovery=true',
    `--oidc-jwks-url=${app}/jwks.json`,
    `--login-url=${app}/login`,
    `--redeem-url=${app}/redeem`,
    '--client-id=orders',
    '--client-secret=unused',
    `--cookie-secret=${'0123456789abcdef'.repeat(2)}`,
    '--email-domain=*',
    '--skip-jwt-bearer-tokens=true',
    '--api-route=.*',
    '--request-logging=false',
    '--auth-logging=false',
    '--standard-logging=false',
  ]
}
