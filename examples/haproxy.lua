-- Asks Postern about each request, for haproxy.cfg beside this file.

local POSTERN = "http://postern.example.workers.dev"  -- by the way below, where it becomes https
local WAY = "abns@postern"
local TIMEOUT_MS = 10000
local TOKEN = "token"  -- the token_name of your token app

-- The headers that Postern gets. It gets no other header of the client.
local ASKED = {
  "authorization", "x-auth-token", "cookie", "accept",
  "origin", "sec-fetch-site", "sec-fetch-mode", "sec-fetch-dest", "sec-websocket-key",
}

local HOP_BY_HOP = {
  ["connection"] = true, ["keep-alive"] = true, ["transfer-encoding"] = true,
  ["content-length"] = true,
}

-- With these, somebody could act as the user, or an application could read another path, method or
-- caller than Postern was asked about.
local REMOVED = {
  ["authorization"] = true, ["forwarded"] = true, ["x-real-ip"] = true, ["x-rewrite-url"] = true,
  ["x-http-method-override"] = true, ["x-method-override"] = true, ["x-http-method"] = true,
  ["script-name"] = true, ["x-script-name"] = true, ["x-forwarded-prefix"] = true,
  ["destination"] = true,
  ["x-forwarded-uri"] = true, ["x-forwarded-method"] = true,
  ["x-original-url"] = true, ["x-original-uri"] = true, ["x-original-method"] = true,
}

-- A path as most servers read it: decoded, without double slashes and dots.
core.register_converters("plain_path", function(path)
  local parts = {}
  local function character(digits) return string.char(tonumber(digits, 16)) end
  local decoded = path:gsub("%%(%x%x)", character)
  for part in decoded:gmatch("[^/]+") do
    if part == ".." then
      table.remove(parts)
    elseif part ~= "." then
      table.insert(parts, part)
    end
  end
  return "/" .. table.concat(parts, "/")
end)

-- All values of a header, whose index begins at 0.
local function values(headers, name)
  local all = {}
  for at = 0, #(headers[name] or {}) do
    all[#all + 1] = (headers[name] or {})[at]
  end
  return all
end

local function ask(txn, path, headers)
  local told = {
    ["x-forwarded-uri"] = { txn.sf:pathq() },
    ["x-forwarded-method"] = { txn.sf:method() },
    ["x-forwarded-host"] = { headers["host"] and headers["host"][0] or "" },
    ["x-forwarded-proto"] = { "https" },
    ["x-forwarded-for"] = { txn.sf:src() },
  }
  for _, name in ipairs(ASKED) do
    if headers[name] then told[name] = values(headers, name) end
  end
  local request = { url = POSTERN .. path, headers = told, dst = WAY, timeout = TIMEOUT_MS }
  return core.httpclient():get(request)
end

-- Answers the client with Postern's answer instead of the application's.
local function refuse(txn, answer)
  local reply = txn:reply()
  reply:set_status(answer.status)
  for name, all in pairs(answer.headers or {}) do
    if not HOP_BY_HOP[name] then
      for _, value in pairs(all) do reply:add_header(name, value) end
    end
  end
  reply:set_body(answer.body or "")
  txn:done(reply)
end

-- The pairs of a list that are not of these names.
local function without(list, separator, names)
  local kept = {}
  for pair in list:gmatch("[^" .. separator .. "]+") do
    if not names[pair:match("^%s*([^=]*)")] then table.insert(kept, pair) end
  end
  return table.concat(kept, separator)
end

-- Removes the credentials and the client's own identity headers, in each spelling that an
-- application may read as one of Postern's headers.
local function clean(txn, headers)
  for name in pairs(headers) do
    local plain = name:gsub("[^%w]", "-")
    if REMOVED[plain] or plain:find("^x%-auth%-") then txn.http:req_del_header(name) end
  end
  -- A proxy drops the headers that `Connection` names, which must not be Postern's.
  txn.http:req_del_header("connection")
  -- WebSockets, and no other protocol: with h2c, a client could send requests past Postern.
  txn.http:req_del_header("upgrade")
  if table.concat(values(headers, "upgrade"), ","):lower() == "websocket" then
    txn.http:req_set_header("connection", "upgrade")
    txn.http:req_set_header("upgrade", "websocket")
  end

  txn.http:req_del_header("cookie")
  local cookies = table.concat(values(headers, "cookie"), "; ")
  cookies = without(cookies, ";", { ["__Host-postern"] = true, postern = true }):gsub("^%s+", "")
  if cookies ~= "" then txn.http:req_set_header("cookie", cookies) end

  local query = txn.sf:query()
  if ("&" .. query):find("&" .. TOKEN .. "=", 1, true) then
    local rest = without(query, "&", { [TOKEN] = true })
    txn.http:req_set_uri(txn.sf:path() .. (rest == "" and "" or "?" .. rest))
  end
end

core.register_action("postern", { "http-req" }, function(txn, path)
  local headers = txn.http:req_get_headers()
  local answer = ask(txn, path, headers)
  -- Without an answer, haproxy.cfg refuses the request.
  if not answer or not answer.status or answer.status == 0 then return end
  if answer.status ~= 200 then return refuse(txn, answer) end

  clean(txn, headers)
  for name, all in pairs(answer.headers) do
    if name:find("^x%-auth%-") and all[0] ~= "" then txn.http:req_set_header(name, all[0]) end
  end
  local cookies = answer.headers["set-cookie"]
  if cookies then txn:set_var("txn.postern_cookie", cookies[0]) end
  txn:set_var("txn.postern_says_yes", true)
end, 1)
