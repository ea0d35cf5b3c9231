"""One image with another library, as its own guide does it, and written to a file.

Usage: python tools/bench/peers/buy.py PEER SIZE   (NSCALE_BASE_URL, NSCALE_API_KEY)

It runs in the environment of requirements.txt, and may use nothing of the program.
"""

import base64
import os
import sys
from pathlib import Path

URL, KEY = os.environ["NSCALE_BASE_URL"], os.environ["NSCALE_API_KEY"]
MODEL, PROMPT = "black-forest-labs/FLUX.1-schnell", "A serene mountain landscape at sunset"
PEER, SIZE = sys.argv[1:]
WIDTH, HEIGHT = map(int, SIZE.split("x"))


def huggingface_hub() -> None:
    """Get the picture itself, which the library opens with Pillow."""
    from huggingface_hub import InferenceClient

    client = InferenceClient(token=KEY, provider="hf-inference")
    picture = client.text_to_image(PROMPT, width=WIDTH, height=HEIGHT, model=f"{URL}/hf-inference")
    picture.save("peer.png")


def litellm() -> None:
    """Ask by the openai library; a list of prices is fetched unless told not to."""
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    import litellm

    reply = litellm.image_generation(
        PROMPT, model=f"openai/{MODEL}", size=SIZE, n=1, api_base=URL, api_key=KEY
    )
    _write(reply.data[0].b64_json)


def replicate() -> None:
    """Wait for the prediction, whose picture comes as a data URL."""
    import replicate

    client = replicate.Client(api_token=KEY, base_url=URL.removesuffix("/v1"))
    made = client.run(MODEL, input={"prompt": PROMPT, "width": WIDTH, "height": HEIGHT})
    Path("peer.png").write_bytes(made[0].read())


def requests() -> None:
    """Do as somebody does who wants no library for the service."""
    import requests

    reply = requests.post(
        f"{URL}/images/generations",
        json={"model": MODEL, "prompt": PROMPT, "size": SIZE, "n": 1},
        headers={"Authorization": f"Bearer {KEY}"},
    )
    reply.raise_for_status()
    _write(reply.json()["data"][0]["b64_json"])


def together() -> None:
    """Ask nearly as one asks OpenAI."""
    from together import Together

    reply = Together(api_key=KEY, base_url=URL).images.generate(
        prompt=PROMPT, model=MODEL, width=WIDTH, height=HEIGHT, n=1, response_format="base64"
    )
    _write(reply.data[0].b64_json)


def _write(encoded: str) -> None:
    Path("peer.png").write_bytes(base64.b64decode(encoded))


if __name__ == "__main__":
    globals()[PEER]()
    assert Path("peer.png").stat().st_size > WIDTH * HEIGHT  # it is the noise that was served
