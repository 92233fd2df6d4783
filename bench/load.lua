-- Requests from a file, one a line: method, path, headers ("name: value" separated by a unit separator), body; separated by tabs.
-- Prints one line of JSON at the end. With a start, it begins behind so many lines; at the end of the file it begins again.

local requests, at = {}, 0

function init(args)
  for line in io.lines(args[1]) do
    local method, path, list, body = line:match("^([^\t]*)\t([^\t]*)\t([^\t]*)\t(.*)$")
    local headers = {}
    for name, value in list:gmatch("([^\31:]+): ([^\31]*)") do headers[name] = value end
    requests[#requests + 1] = wrk.format(method, path, headers, body ~= "" and body or nil)
  end
  at = tonumber(args[2] or "0") % #requests
end

function request()
  at = at % #requests + 1
  return requests[at]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '{"requests":%d,"micros":%d,"refused":%d,"broken":%d,"p50":%d,"p99":%d}\n',
    summary.requests, summary.duration, errors.status, errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50), latency:percentile(99)))
end
