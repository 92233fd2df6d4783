"""Reads features of a GIS server with iclientpy, and writes none. Prints the answers."""

import importlib.util
import json
import sys
import types

# `import iclientpy` also imports widgets for notebooks, which need 300 MB of packages. The part
# that talks to servers does not.
package = types.ModuleType("iclientpy")
package.__path__ = importlib.util.find_spec("iclientpy").submodule_search_locations
sys.modules["iclientpy"] = package

from iclientpy.rest.apifactory import APIFactory  # noqa: E402

data = APIFactory(sys.argv[1]).data_service("data-world")
features = data.get_features("World", "Cities", fromIndex=0, toIndex=1)
written = data.post_features("World", "Cities", entity=[], isUseBatch=True)
print(json.dumps({"features": vars(features), "written": vars(written)}))
