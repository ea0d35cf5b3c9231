"""What litellm gets from the server at OPENAI_BASE_URL, as one JSON document on stdout."""

import base64
import json
import os
import sys
import urllib.request

import litellm

litellm.suppress_debug_info = True  # it would go to stdout
ORDER = {
    "model": "openai/black-forest-labs/FLUX.1-schnell",
    "prompt": "A red fox",
    "size": "64x48",
    "api_base": os.environ["OPENAI_BASE_URL"],
    "max_retries": 0,
}

inline = litellm.image_generation(**ORDER)
linked = litellm.image_generation(**ORDER, n=2, extra_body={"response_format": "url"})
with urllib.request.urlopen(linked.data[1].url, timeout=60) as response:
    fetched = base64.b64encode(response.read()).decode()
refused: dict[str, object] = {}
try:
    litellm.image_generation(**ORDER | {"model": "openai/sandbox/insufficient-credit"})
except litellm.RateLimitError as error:
    refused = {"status": error.status_code, "message": str(error)}
seen = {"images": [inline.data[0].b64_json, fetched], "refused": refused}
json.dump(seen, sys.stdout)
