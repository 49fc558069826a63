-- What wrk sends: one kind of request with each of many tokens in turn, every request put together once. wrk would add a Host of
-- its own if that header were spelled in another way.
local kinds = {
  get = { method = 'GET', path = '/orders/1' },
  post = { method = 'POST', path = '/orders', body = string.rep('x', 10240) },
  download = { method = 'GET', path = '/download' },
}
local kind = kinds[os.getenv('BENCH_KIND')]
local tokens = dofile(os.getenv('BENCH_TOKENS'))
local made, turn = {}, 0

request = function()
  turn = turn % #tokens + 1
  if made[turn] == nil then
    local headers = {
      ['Host'] = 'orders.example.com',
      ['Authorization'] = 'Bearer ' .. tokens[turn],
      ['Accept'] = 'application/json',
      ['User-Agent'] = 'wrk',
    }
    made[turn] = wrk.format(kind.method, kind.path, headers, kind.body)
  end
  return made[turn]
end

done = function(summary, latency)
  local errors = summary.errors
  local bad = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  io.write(string.format('{"requests":%d,"seconds":%f,"bad":%d,"p50Ms":%f,"p99Ms":%f}\n', summary.requests,
    summary.duration / 1e6, bad, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
