// Opening and closing a server, for those that know nothing of the proxy.
export { closeServer, listenOn } from '../proxy/listening.ts'
