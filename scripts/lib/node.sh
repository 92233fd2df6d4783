# For setup.sh: sourced, never run. Finds a Node that is new enough for wrangler, or installs one.
# shellcheck shell=bash
#
# find_node sets
#   node_bin  the folder of the installed Node; empty if the machine's own is new enough

# The oldest Node for the locked wrangler, such as 22.12.0.
minimum_node() {
  node -p '
    const lock = JSON.parse(require("node:fs").readFileSync("package-lock.json"));
    lock.packages["node_modules/wrangler"].engines.node.replace(">=", "")'
}

# node_is_new_enough NODE MINIMUM
node_is_new_enough() {
  "$1" -e '
    const parts = (version) => version.split(".").map(Number);
    const [minimum, own] = [process.argv[1], process.versions.node].map(parts);
    const differing = minimum.findIndex((part, index) => part !== own[index]);
    process.exit(differing === -1 || own[differing] > minimum[differing] ? 0 : 1);' "$2" 2>/dev/null
}

# The machine's own Node: the first one on the PATH that is not below FOLDER. For programs that
# wrangler or a test starts, the installed one comes first, and must not be taken for the machine's.
# own_node FOLDER
own_node() {
  local IFS=: folder
  for folder in $PATH; do
    if [[ $folder != "$1"/* && -x $folder/node ]]; then
      printf %s "$folder/node"
      return
    fi
  done
}

# bring_node FOLDER
bring_node() {
  rm -rf "$1"
  mkdir -p "$1"
  cp scripts/node/package.json scripts/node/package-lock.json "$1/"
  quietly "$cache/node.log" npm --prefix "$1" ci --ignore-scripts
}

find_node() {
  local minimum folder=$cache/node
  minimum=$(minimum_node)
  node_bin=
  if node_is_new_enough "$(own_node "$folder")" "$minimum"; then return; fi

  if ! cmp -s scripts/node/package-lock.json "$folder/package-lock.json" ||
    [ ! -d "$folder/node_modules" ]; then
    say "bringing a newer Node into the cache: wrangler needs $minimum, here is $(node --version)"
    bring_node "$folder" || die 'no newer Node could be brought from npm' \
      "install Node $minimum or newer (https://nodejs.org), then run the same again"
  fi
  # npm installs the one package for this system, and reports nothing if it cannot.
  node_bin=$(echo "$folder"/node_modules/node-*/bin)
  if node_is_new_enough "$node_bin/node" "$minimum"; then return; fi
  rm -rf "$folder"
  die 'the Node that npm has does not run on this machine, or could not be fetched' \
    "install Node $minimum or newer (https://nodejs.org), then run the same again" \
    "the log is $cache/node.log"
}
