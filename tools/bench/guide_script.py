"""The script of Nscale's guide, with its pictures written to files: what `nscale` is measured by.

Usage: python tools/bench/guide_script.py SIZE COUNT   (NSCALE_BASE_URL, NSCALE_API_KEY)
"""

import base64
import os
import sys
from pathlib import Path

import openai

client = openai.OpenAI(api_key=os.getenv("NSCALE_API_KEY"), base_url=os.getenv("NSCALE_BASE_URL"))
response = client.images.generate(
    model="black-forest-labs/FLUX.1-schnell",
    prompt="A serene mountain landscape at sunset with a lake reflecting the orange sky",
    size=sys.argv[1],  # type: ignore[call-overload]
    n=int(sys.argv[2]),
)
for number, image in enumerate(response.data):
    Path(f"guide-{number}.png").write_bytes(base64.b64decode(image.b64_json))
