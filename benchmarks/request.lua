-- wrk's side: each request is the next line of a file, token TAB body; a row of @ becomes a fresh number.
local requests, places = {}, {}
local unique, next_number, index = "@@@@@@@@@@", 0, 0

function init(args)
  next_number = tonumber(args[2])
  for line in io.lines(args[1]) do
    local token, body = line:match("^(%S+)\t(.*)$")
    local headers = { ["Content-Type"] = "application/json", ["Authorization"] = "Bearer " .. token }
    local text = wrk.format("POST", "/graphql", headers, body)
    requests[#requests + 1] = text
    places[#places + 1] = text:find(unique, 1, true) or false
  end
end

function request()
  index = index % #requests + 1
  local text, place = requests[index], places[index]
  if place then
    next_number = next_number + 1
    return text:sub(1, place - 1) .. string.format("%010d", next_number) .. text:sub(place + #unique)
  end
  return text
end

function done(summary, latency, _)
  local errors = summary.errors
  io.write(string.format(
    '\nRESULT {"requests": %d, "seconds": %.6f, "p50": %.3f, "p99": %.3f, "failed": %d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    errors.status + errors.connect + errors.read + errors.write + errors.timeout))
end
